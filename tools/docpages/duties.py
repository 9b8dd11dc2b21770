"""Everything that crosses the border of an engine, in one table: who emits it, in which state, what the adapter does.

The states of the accessory's outputs are told here and proved by tests/docs/test_duties.py, which drives the engine
through all of them; those of the controller's commands come from the table that the engine works by. A class that is
missing here, or not there any more, stops the generator.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from types import ModuleType
from typing import NamedTuple

from tools.docpages.markdown import table

from hapcore.engine import Command, Effect, Event
from hapcore.ip import accessory, controller
from hapcore.ip.accessory.session import Security
from hapcore.ip.controller.connection import _PROCEDURES
from hapcore.ip.controller.states import TRANSITIONS, State

_TELL = "Give the result to who asked."
_ANY = ""
_KEYS = "Write it to the key log, for who reads captures. They are secrets: to nobody else."


class Duty(NamedTuple):
    """The states in which something is emitted (none: they do not matter), a word about them, the adapter's part."""

    states: tuple[Enum, ...]
    when: str
    part: str


#: What goes into the accessory. None of it depends on the state of a connection.
ACCESSORY_COMMANDS = {
    "AddAccessories": Duty((), _ANY, "Bind the new characteristics, as with `ReplaceDatabase`."),
    "AnswerRead": Duty((), "once for each `ReadRequested`", "Submit what the getters returned, within 9 s."),
    "AnswerSnapshot": Duty((), "once for each `SnapshotRequested`", "Submit the picture, within 9 s."),
    "AnswerWrite": Duty((), "once for each `WriteRequested`", "Submit what the setters decided, within 9 s."),
    "RefreshDatabase": Duty((), _ANY, "Bind the new characteristics, as with `ReplaceDatabase`."),
    "RemoveAccessories": Duty((), _ANY, "Release the characteristics that are gone: setting them tells nobody."),
    "ReplaceDatabase": Duty((), _ANY, "Bind the new characteristics, so that what the application sets gets in."),
    "Shutdown": Duty((), "last of all", "Poll, send what is left, close what `CloseConnection` names; then stop."),
    "UpdateValues": Duty((), _ANY, "Submit it for each value that the application sets."),
}

#: What comes out of the accessory, with the states of the connection it is about.
ACCESSORY = {
    "Advertise": Duty(
        (), "at the start; when pairings or the database change", "Announce the record by mDNS, at once."
    ),
    "CloseConnection": Duty(
        (Security.CLOSED,), "the engine has forgotten the connection", "Send what it still has, then close it."
    ),
    "Forget": Duty((), "a pairing is removed", "Drop the key durably, then poll; or call `effect_failed`."),
    "Persist": Duty(
        (),
        "at the first start; pairings, tries and ids change",
        "Store it durably, then poll; or call `effect_failed`.",
    ),
    "SendBytes": Duty(
        (Security.PLAIN, Security.TRANSIENT, Security.SECURED),
        _ANY,
        "Send it after what was sent before. What the transport does not take: keep it, and call `pause_sending`.",
    ),
    "Unadvertise": Duty((), "at `Shutdown`", "Withdraw the announcement with a goodbye."),
    "CharacteristicsWritten": Duty((Security.SECURED,), _ANY, "Tell the application; there is nothing to decide."),
    "HideSetupCode": Duty((), "that attempt to pair is over", "Have the display show it no more."),
    "IdentifyRequested": Duty(
        (Security.PLAIN,), "nobody is paired", "Call the identify function of the first accessory."
    ),
    "PairingAdded": Duty(
        (Security.PLAIN, Security.SECURED), "pair-setup is done; an admin added it", "Tell the application."
    ),
    "PairingRemoved": Duty((Security.SECURED,), "an admin removed it", "Tell the application."),
    "PeerMisbehaved": Duty(
        (Security.PLAIN, Security.TRANSIENT, Security.SECURED),
        _ANY,
        "Tell the application, or a log. `CloseConnection` follows where it must.",
    ),
    "ReadRequested": Duty((Security.SECURED,), _ANY, "Ask the getters, submit `AnswerRead`."),
    "SessionClosed": Duty((Security.CLOSED,), "right after `CloseConnection`", "Tell the application."),
    "SessionKeysMade": Duty((Security.TRANSIENT, Security.SECURED), "where `tells_keys` is set", _KEYS),
    "SessionOpened": Duty((Security.SECURED,), "right after pair-verify", "Tell the application."),
    "SetupAttemptFailed": Duty((Security.PLAIN,), "during pair-setup", "Tell the application."),
    "ShowSetupCode": Duty((), "somebody begins to pair; with `Config.display` only", "Have the display show the code."),
    "SnapshotRequested": Duty((Security.SECURED,), _ANY, "Ask the camera, submit `AnswerSnapshot`."),
    "SubscriptionChanged": Duty((Security.SECURED,), _ANY, "Tell the application."),
    "WriteRequested": Duty((Security.SECURED,), _ANY, "Ask the setters, submit `AnswerWrite`."),
}

#: What the adapter of a controller does about its commands; the states are in the engine's own table.
CONTROLLER_COMMANDS = {
    "AddPairing": _TELL,
    "Close": "Poll, send what is left, close. Everybody who waits is answered with `Failed`.",
    "Describe": _TELL,
    "FinishPairSetup": "Store the `Pairing` before anything else, and let nothing cancel that. Then tell who asked.",
    "GetAccessories": _TELL,
    "GetValue": _TELL,
    "Identify": _TELL,
    "ListPairings": _TELL,
    "Read": _TELL,
    "RemovePairing": f"{_TELL} Drop the stored pairing where it was our own.",
    "SetValue": _TELL,
    "Snapshot": _TELL,
    "StartPairSetup": f"{_TELL} The setup code may be asked for now.",
    "Subscribe": f"{_TELL} Subscribe again on the next connection: it ends with this one.",
    "Unsubscribe": _TELL,
    "VerifyPairing": _TELL,
    "Write": _TELL,
}

_SENDING = tuple(state for state in State if state is not State.CLOSED)

#: What comes out of the controller, with the states of the connection.
CONTROLLER = {
    "CharacteristicChanged": Duty((State.SECURED,), "after `Subscribe`", "Tell who subscribed."),
    "CloseConnection": Duty((State.CLOSED,), "once", "Send what it still has, then close it."),
    "EventUnreadable": Duty((State.SECURED,), _ANY, "Tell the application, or a log; read again what matters."),
    "SendBytes": Duty(_SENDING, _ANY, "Send it after what was sent before."),
    "SessionClosed": Duty((State.CLOSED,), "last of all", "Wake who waits for changes. Drop the engine."),
    "SessionKeysMade": Duty((State.SECURED,), "where `tells_keys` is set", _KEYS),
}

#: What both engines say to commands.
REPLIES = {
    "Done": Duty((), "once for each command that is carried out", "Wake who waits for the command, with the result."),
    "Failed": Duty((), "once for each other command that was accepted", "Wake who waits for it, with the error."),
}


def _check(what: str, told: Iterable[str], package: ModuleType, *bases: type) -> None:
    from tools.docpages.reference import used

    there = {one.__name__ for base in bases for one in used(package, base)}
    if there != set(told):
        raise SystemExit(f"tools/docpages/duties.py: {what} out of date: {sorted(there ^ set(told))}")


def _states(states: Iterable[Enum]) -> str:
    return ", ".join(f"`{state.value}`" for state in states)


def _told(duty: Duty, anywhere: str) -> str:
    if not duty.states:
        return duty.when or anywhere
    return f"{_states(duty.states)}: {duty.when}" if duty.when else _states(duty.states)


def allowed(command: type) -> str:
    """In which states of a controller a command may be submitted, and where it leads."""
    if command.__name__ == "Close":
        return f"any; leads to {_states([State.CLOSED])}"
    kind, _ = _PROCEDURES[command]
    rows = [(state, way) for (state, one), way in TRANSITIONS.items() if one is kind]
    text = _states(state for state, _ in rows)
    moves = {way for state, way in rows if way != (state, state, state)}
    if moves:
        (way,) = moves
        text += f"; `{way.during.value}`, then {_states([way.done])}"
        text += f" or, failed, {_states([way.failed])}" if way.failed is not way.done else ""
    return text


def rows() -> list[tuple[str, str, str, str]]:
    """Name, what it is, in which state, the adapter's part."""
    _check("the accessory's commands", ACCESSORY_COMMANDS, accessory, Command)
    _check("the accessory's outputs", ACCESSORY, accessory, Effect, Event)
    _check("the controller's commands", CONTROLLER_COMMANDS, controller, Command)
    _check("the controller's outputs", CONTROLLER, controller, Effect, Event)
    found = [(name, "reply of both engines", _told(duty, "any"), duty.part) for name, duty in REPLIES.items()]
    for name, duty in ACCESSORY_COMMANDS.items():
        found.append((name, "command to the accessory", _told(duty, "any"), duty.part))
    for name, duty in ACCESSORY.items():
        found.append((name, f"{_kind(accessory, name)} of the accessory", _told(duty, "any"), duty.part))
    for name, part in CONTROLLER_COMMANDS.items():
        found.append((name, "command to the controller", allowed(getattr(controller, name)), part))
    for name, duty in CONTROLLER.items():
        found.append((name, f"{_kind(controller, name)} of the controller", _told(duty, "any"), duty.part))
    return found


def _kind(package: ModuleType, name: str) -> str:
    one = getattr(package, name, None)
    return "event" if isinstance(one, type) and issubclass(one, Event) else "effect"


def render() -> list[str]:
    """The table."""
    return table(
        ("Name", "Is", "In which state", "The adapter's part"),
        ((f"`{name}`", what, state, part) for name, what, state, part in rows()),
    )
