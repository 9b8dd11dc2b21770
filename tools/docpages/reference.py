"""docs/reference.md: what goes into the engines and what comes out, from the classes themselves."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, TypeVar, get_args

import attrs
from tools.docpages import duties, states
from tools.docpages.markdown import first, page, table

from hapcore import errors, home
from hapcore.engine import Command, Done, Effect, Engine, Event, Failed
from hapcore.home import Home, supervision
from hapcore.ids import HapStatus
from hapcore.ip import accessory, controller
from hapcore.ip.accessory.session import Security
from hapcore.pairing.keylog import SessionKeysMade
from hapcore.pairing.setup import SetupState

#: How the calls of the contract begin; the other methods of an engine are for its own parts.
_CALLS = ("receive", "handle", "submit", "poll", "next_", "pause", "resume", "effect_", "connection_", "connected")


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    yield package
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(info.name)


def used(package: ModuleType, base: type) -> list[type]:
    """The subclasses of `base` that any module of the package, or of what roles share, uses, by name."""
    found: dict[str, type] = {}
    shared = importlib.import_module(f"hapcore.{package.__name__.rpartition('.')[2]}")
    for module in (*_modules(package), *_modules(shared)):
        for one in vars(module).values():
            if isinstance(one, type) and issubclass(one, base) and one is not base:
                found[one.__name__] = one
    return [found[name] for name in sorted(found)]


def _public(package: ModuleType, base: type) -> list[type]:
    """As above, but what the package offers to its users only; nothing may be missing there."""
    offered = [one for one in used(package, base) if getattr(package, one.__name__, None) is one]
    # The keys of sessions are no part of a package's vocabulary: what transcripts do not know they cannot tell.
    missing = [one.__name__ for one in used(package, base) if one not in offered and one is not SessionKeysMade]
    if missing:
        raise SystemExit(f"{package.__name__} does not offer {', '.join(missing)}")
    return offered


def _own(package: ModuleType, base: type) -> list[type]:
    """The subclasses of `base` that the package offers and that are defined in it, by name."""
    offered = [one for one in vars(package).values() if isinstance(one, type) and issubclass(one, base)]
    own = [one for one in offered if one.__module__.startswith(f"{package.__name__}.")]
    return sorted(own, key=lambda one: one.__name__)


def _call(one: type) -> str:
    """The name with its fields."""
    kinds = inspect.get_annotations(one)
    fields = []
    for field in attrs.fields(one):
        optional = field.default is not attrs.NOTHING
        fields.append(f"{field.name}: {kinds[field.name]}" + (" = ..." if optional else ""))
    return f"`{one.__name__}({', '.join(fields)})`"


def _result(one: type) -> str:
    (base,) = (base for base in one.__orig_bases__ if getattr(base, "__origin__", None) is Command)  # type: ignore[attr-defined]
    return f"`{_name(get_args(base)[0])}`"


def _name(kind: Any) -> str:
    if kind is type(None):
        return "None"
    if isinstance(kind, TypeVar):
        return "that of the command"
    if isinstance(kind, type) and not get_args(kind):
        return kind.__name__
    if get_args(kind) and isinstance(kind, type(int | str)):
        return " | ".join(map(_name, get_args(kind)))
    if get_args(kind):
        inner = ", ".join("..." if one is ... else _name(one) for one in get_args(kind))
        return f"{kind.__origin__.__name__}[{inner}]"
    return str(kind)


def _commands(package: ModuleType) -> list[str]:
    return _rows(_public(package, Command))


def _rows(commands: Iterable[type]) -> list[str]:
    rows = ((_call(one), _result(one), first(one)) for one in commands)
    return table(("Command", "`Done.result`", "What"), rows)


def _outputs(head: str, classes: Iterable[type]) -> list[str]:
    return table((head, "What"), ((_call(one), first(one)) for one in classes))


def _effects(package: ModuleType) -> list[str]:
    rows = ((_call(one), f"`{one.__module__}`", first(one)) for one in used(package, Effect))
    return table(("Effect", "From", "What"), rows)


def _inputs(engine: type[Engine]) -> list[str]:
    rows = []
    for name, function in inspect.getmembers(engine, inspect.isfunction):
        if name.startswith(_CALLS):
            names = ", ".join(list(inspect.signature(function).parameters)[1:])
            rows.append((f"`{name}({names})`", first(function)))
    return table(("Call", "What"), rows)


def _errors() -> list[str]:
    rows = []
    for name in errors.__all__:
        one = getattr(errors, name)
        rows.append((f"`{name}`", ", ".join(f"`{base.__name__}`" for base in one.__bases__), first(one)))
    return table(("Class", "Is a", "What"), rows)


def render() -> str:
    """The page."""
    return page(
        ["# Reference"],
        [
            "Everything that goes into the engines and comes out of them. This page is written from the code by",
            "`tools/generate_docs.py`; [engine.md](engine.md) says how the pieces work together.",
        ],
        ["## Everything in one table"],
        [
            "Commands go in by `submit()`; all else comes out of `poll()`, in one order. The state is that of the",
            "connection in question, for an accessory `Security`, for a controller `State`; both are drawn below. What",
            "a command, an effect or an event holds is in the tables after this one.",
            "",
            "A command to a controller is judged by the state in which its turn will come, so several may be submitted",
            "ahead. Where the state does not allow it, `submit()` raises `LocalProtocolError`; on a closed connection",
            "it is accepted and fails with `Disconnected`, because the caller cannot have known.",
        ],
        duties.render(),
        ["## Both engines"],
        ["The replies to commands, from `hapcore.engine`."],
        _outputs("Reply", (Done, Failed)),
        ["## The accessory"],
        [
            "`hapcore.ip.accessory.Server(accessories, *, config, state, entropy)`: one engine for an accessory, or",
            "for a bridge and what is behind it, with any number of connections. Its commands and events are in",
            "`hapcore.ip.accessory`.",
        ],
        ["### Accessory: calls"],
        _inputs(accessory.Server),
        ["### Accessory: commands"],
        _commands(accessory),
        ["### Accessory: effects"],
        _effects(accessory),
        ["### Accessory: events"],
        _outputs("Event", _public(accessory, Event)),
        ["### Accessory: states"],
        [
            "How far a connection has come. This diagram and the next are drawn by driving the engine and noting its",
            "state before and after.",
        ],
        states.diagram(Security, Security.PLAIN, states.security()),
        [
            "Which message of pair-setup the accessory waits for. There is one procedure at a time for the whole",
            "accessory; others are told Busy until it ends, or for 30 seconds at most.",
        ],
        states.diagram(SetupState, SetupState.M1, states.setup_desk()),
        ["## The controller"],
        [
            "`hapcore.ip.controller.Connection(host, *, entropy, database, request_timeout, pairing_timeout)`: one",
            "engine for each connection. Its commands and events are in `hapcore.ip.controller`.",
        ],
        ["### Controller: calls"],
        _inputs(controller.Connection),
        ["### Controller: commands"],
        _commands(controller),
        ["### Controller: effects"],
        _effects(controller),
        ["### Controller: events"],
        _outputs("Event", _public(controller, Event)),
        ["### Controller: states"],
        [
            "Drawn from the table that the engine works by, `hapcore.ip.controller.states.TRANSITIONS`. A command that",
            "the table does not have is the caller's mistake. From every state `Close`, the end of the connection, an",
            "answer that is overdue and a broken protocol lead to `closed`, and nothing leads out of it.",
        ],
        states.diagram(controller.State, controller.State.PLAIN, states.controller()),
        ["## The home"],
        [
            "`hapcore.home.Home(table, *, entropy, engine, discovery)`: the life of a controller's connections and",
            "pairings, in one engine above those of the connections. Its commands, effects and events are in",
            "`hapcore.home`; commands for one accessory are those of the controller, in an `Ask`.",
        ],
        ["### Home: calls"],
        _inputs(Home),
        ["### Home: commands"],
        table(
            ("Command", "`Done.result`", "What"),
            ((_call(one), _result(one), first(one)) for one in _own(home, Command)),
        ),
        ["### Home: effects"],
        _effects(home),
        ["### Home: events"],
        _outputs("Event", _own(home, Event)),
        ["### Home: what is told of accessories that are watched over"],
        [
            "The items of `News` for a reader of `Supervise`, from `hapcore.home.supervision`; how they follow on each",
            "other is in [controller.md](controller.md#keeping-watch).",
        ],
        _outputs("Item", get_args(supervision.Happening)),
        ["## Errors"],
        ["From `hapcore.errors`. What to do about each is in [controller.md](controller.md#errors)."],
        _errors(),
        ["## Statuses of characteristics"],
        ["`hapcore.ids.HapStatus`, for each characteristic of a request."],
        table(("Number", "Name", "Says"), ((str(int(one)), f"`{one.name}`", one.text) for one in HapStatus)),
    )
