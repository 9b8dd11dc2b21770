"""Plays a recording to our accessory over Bluetooth LE: every attribute value, indication and packet is compared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hapcore.accessory.config import Config
from hapcore.ble.accessory import (
    DropLink,
    GattIndicate,
    GattRefuse,
    GattReply,
    Peripheral,
    SetAdvertisement,
    StopAdvertising,
)
from hapcore.ble.advert import RegularAdvert, parse_manufacturer_data
from hapcore.codec.pdu import Opcode, PduError, ResponseReader
from hapcore.crypto.secret import Secret
from hapcore.crypto.srp import make_verifier
from hapcore.engine import Command, Event, Forget, Persist
from hapcore.ids import CharacteristicId
from hapcore.model.database import Database
from hapcore.pairing.records import Identity
from hapcore.replay.ble import air, numbers, show
from hapcore.replay.ble.application import Application
from hapcore.replay.ble.draws import Draws
from hapcore.replay.ble.link import Link
from hapcore.replay.ble.pairings import differ, records_of
from hapcore.replay.ble.records import open_record
from hapcore.replay.ble.script import (
    Advert,
    Answer,
    Attribute,
    Case,
    Confirm,
    Connect,
    Disconnected,
    Indication,
    Kind,
    Read,
    Script,
    Secured,
    Step,
    Write,
)
from hapcore.replay.report import Difference, Outcome
from hapcore.setup_code import SetupCode

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["play_accessory"]

#: How much earlier or later than recorded a link may be dropped.
_SLACK = 0.3
#: The recorded clock begins at 0, ours may not run back.
_START = 1000.0
#: The procedure buffer of the recorded accessory.
_BUFFER = 2048
_KEY = "ble/state-number"
_ATTEMPTS = re.compile(r"attempt counter set to (\d+)")
_MAX_ATTEMPTS = 100
_RESTART = re.compile(r"after (a |the )?restart|restart(s|ed)? (of )?the accessory|accessory (is |was )?restart")
_WRITES = (Opcode.CHARACTERISTIC_WRITE, Opcode.CHARACTERISTIC_EXECUTE_WRITE)
_PAIR_SETUP, _PAIRINGS = 0x22, 0x25
_PAIRING_IIDS = frozenset({_PAIR_SETUP, 0x23, _PAIRINGS})


def play_accessory(script: Script, database: Database) -> Outcome:
    """Play all cases to a fresh accessory with this database."""
    return _Player(script, database).play()


class _Player:
    def __init__(self, script: Script, database: Database) -> None:
        self._script = script
        self._database = database
        accessory = script.accessory
        verifier = make_verifier(accessory.setup_code, accessory.salt) if accessory.salt is not None else None
        self._draws = Draws(script, verifier)
        self._config = Config(
            name=database.accessories[0].name,
            category=self._category(),
            setup_code=SetupCode.parse(accessory.setup_code),
            setup_id=accessory.setup_id or "RPLY",
        )
        ltsk = accessory.ltsk or Secret(self._draws("identity.ltsk", 32))
        self._stored: dict[str, bytes] = {"identity": Identity(accessory.device_id, ltsk).to_json()}
        self._now = _START
        self._differences: list[Difference] = []
        self._compared = 0
        self._recorded: air.Timeline = []
        self._ours: air.Timeline = []
        self._places: list[tuple[float, str, int]] = []
        self._case = Case("", "", (), ())
        self._index = 0
        self._keys: Secret | None = None
        self._cause = ""
        self._linked = False
        self._link = Link()
        self._engine = self._start()
        self._application = Application(database, self._submit, script.accessory.app)
        self._engine.start(self._now)
        self._pump()

    def _category(self) -> int:
        for step in self._steps(Advert):
            found = parse_manufacturer_data((step.data or b"")[7:])
            if isinstance(found, RegularAdvert):
                return found.category
        return 1

    def _steps(self, kind: type[Advert]) -> Iterator[Advert]:
        return (step for case in self._script.cases for step in case.steps if isinstance(step, kind))

    def play(self) -> Outcome:
        """Play everything."""
        for case in self._script.cases:
            self._case = case
            self._keys = None
            self._between(case)
            for index, step in enumerate(case.steps):
                self._index = index
                self._places.append((step.t, case.name, index))
                self._advance(step.t)
                self._play_step(step)
        self._advance(self._places[-1][0] if self._places else 0.0)
        for t, expected, got in air.mismatches(self._recorded, self._ours, self._now - _START):
            place = next((one for one in reversed(self._places) if one[0] <= t), (0.0, "", 0))
            self._differences.append(
                Difference(
                    self._script.name,
                    place[1],
                    "air",
                    place[2],
                    t,
                    "another advertisement",
                    air.show(expected),
                    air.show(got),
                )
            )
        return Outcome(tuple(self._differences), self._compared)

    # The engine.

    def _start(self) -> Peripheral:
        return Peripheral(
            self._database, config=self._config, state=self._stored, entropy=self._draws, max_body=_BUFFER
        )

    def _between(self, case: Case) -> None:
        """What was done to the accessory itself before a case, as far as the case tells."""
        attempts = _ATTEMPTS.search(case.note)
        if attempts is not None:
            self._stored["attempts"] = attempts[1].encode()
        number = numbers.first(self._script, case)
        jumps = number is not None and self._jumps(number)
        if jumps or attempts is not None or _RESTART.search(f"{case.name} {case.note}"):
            self._advance(case.steps[0].t if case.steps else 0.0)
            self._restart(number if jumps else None)

    def _restart(self, number: int | None) -> None:
        """The accessory was started anew, perhaps with another state number in its store."""
        if number is not None:
            self._stored[_KEY] = b"%d 0" % number
        self._link, self._linked = Link(), False
        self._ours.append((self._now - _START, air.UNKNOWN))
        self._recorded.append((self._now - _START, air.UNKNOWN))
        self._engine = self._start()
        self._engine.start(self._now)
        self._pump()

    def _jumps(self, number: int) -> bool:
        current = self._engine.state_number.value
        return number not in (current, numbers.after(current))

    def _submit(self, command: Command[object]) -> None:
        self._engine.submit(command, self._now)

    def _advance(self, t: float) -> None:
        target = max(self._now, _START + t)
        while True:
            due = self._engine.next_timeout()
            if due is None or due > target:
                break
            self._now = max(self._now, due)
            self._engine.handle_timeout(self._now)
            self._pump()
        self._now = target

    def _pump(self) -> None:
        while (output := self._engine.poll()) is not None:
            match output:
                case Persist():
                    self._stored[output.key] = output.value
                case Forget():
                    self._stored.pop(output.key, None)
                case GattReply():
                    self._link.reply = output
                case GattRefuse():
                    self._link.reply = output
                case GattIndicate():
                    self._link.indicated.append(output.handle)
                    if not self._case.confirms:
                        self._engine.indication_confirmed(self._now)
                case DropLink():
                    self._link.dropped = self._now - _START
                case SetAdvertisement():
                    on_air = air.OnAir(output.data, output.scan_response, output.interval)
                    self._ours.append((self._now - _START, on_air))
                case StopAdvertising():
                    self._ours.append((self._now - _START, air.OnAir(None)))
                case Event():
                    self._application.handle(output)
                case _:
                    pass

    # Steps.

    def _play_step(self, step: Step) -> None:
        match step:
            case Connect():
                self._link, self._linked = Link(), True
                self._engine.link_opened(self._now, max_read=step.max_read, max_write=step.max_write)
                self._pump()
            case Disconnected():
                self._disconnect(step)
            case Write():
                self._write(step)
                self._settle()
            case Read():
                self._read(step)
                self._settle()
            case Indication():
                self._indication(step)
            case Confirm():
                self._confirm()
            case Secured():
                self._keys = self._case.keys[step.session] if step.session < len(self._case.keys) else None
            case Advert():
                self._advert(step)

    def _attribute(self, handle: int) -> Attribute:
        return self._script.attributes.get(handle, Attribute(Kind.CHARACTERISTIC_IID, 0))

    def _handle(self, attribute: Attribute) -> int:
        """Ours for the same thing."""
        if attribute.kind is Kind.SERVICE_IID:
            return next((s.iid_handle for s in self._engine.gatt if s.iid == attribute.iid), 0)
        cell = self._engine.table.find(attribute.iid)
        return 0 if cell is None else cell.handle

    def _write(self, step: Write) -> None:
        attribute = self._attribute(step.handle)
        handle = self._handle(attribute)
        link = self._link
        link.reply = None
        if attribute.kind is Kind.CONFIGURATION:
            self._cause = f"indications of {attribute.iid:x}: {step.raw.hex()}"
            self._engine.receive_descriptor(handle, step.raw, self._now)
        elif attribute.kind is Kind.VALUE:
            self._note_request(step, attribute.iid)
            self._engine.receive_write(handle, step.raw, self._now)
        else:
            return
        self._pump()
        self._compared += 1
        self._check_refusal(step, "the write")

    def _check_refusal(self, step: Write | Read, what: str) -> bool:
        """Whether there is an answer to compare: the request was refused, or not, as recorded."""
        if step.lost:
            return False
        reply, refused = self._link.reply, step.refused
        said = ("answered", "refused")
        if reply is None:
            self._differ(f"{what} is not answered", said[refused], "no answer")
        elif isinstance(reply, GattRefuse) is not refused:
            self._differ(f"{what} is {said[not refused]}", said[refused], said[not refused])
        else:
            return True
        return False

    def _note_request(self, step: Write, iid: int) -> None:
        request = self._link.note(step)
        if request is not None:
            pairing = iid in _PAIRING_IIDS
            self._cause = show.request(self._name(iid), request.opcode, request.iid, request.body, pairing=pairing)

    def _name(self, iid: int) -> str:
        cell = self._engine.table.find(iid)
        return f"{iid:x}" if cell is None else cell.characteristic.type.name

    def _read(self, step: Read) -> None:
        attribute = self._attribute(step.handle)
        self._link.reply = None
        if attribute.kind is Kind.CONFIGURATION:
            enabled = self._engine.subscribed(self._handle(attribute))
            self._link.reply = GattReply(b"\2\0" if enabled else b"\0\0")
        elif attribute.kind is Kind.CHARACTERISTIC_IID:
            if attribute.iid:
                self._link.reply = GattReply(attribute.iid.to_bytes(2, "little"))
        else:
            request = self._link.requests.pop(step.handle, None)
            if attribute.kind is Kind.VALUE and request is not None:
                self._draws.prepare(step.answer)
                self._forgive(attribute.iid)
                self._application.before(attribute.iid, request, step.answer)
                if request.opcode in (Opcode.PROTOCOL_CONFIGURATION, Opcode.INFO):
                    self._catch_up(numbers.told(step.answer))
                elif request.opcode in _WRITES:
                    self._link.moved = self._link.moved or self._moves(attribute.iid, step.answer)
            self._engine.receive_read(self._handle(attribute), self._now)
        self._pump()
        self._compared += 1
        if not self._check_refusal(step, "the read") or not isinstance(self._link.reply, GattReply):
            return
        data = self._link.reply.data
        if attribute.iid == _PAIRINGS and self._lists_pairings(step, data):
            return
        if data != step.raw:
            self._differ_in_value(step, attribute, data)

    def _forgive(self, iid: int) -> None:
        """An M2 with a public key after a hundred failures: somebody has reset the counter."""
        if iid == _PAIR_SETUP and self._engine.stored.attempts >= _MAX_ATTEMPTS and self._draws.prepared:
            self._engine.stored.attempts = 0
            self._stored.pop("attempts", None)

    def _moves(self, iid: int, answer: Answer | None) -> bool:
        """Whether this write raises the state number by itself, so that nothing has to be concluded."""
        cell = self._engine.table.find(iid)
        return answer is not None and not answer.status and cell is not None and cell.characteristic.disconnected_events

    def _differ_in_value(self, step: Read, attribute: Attribute, got: bytes) -> None:
        expected = step.raw
        if step.plain is not None and self._keys is not None and step.counter is not None:
            opened = open_record(self._keys, step.counter, got)
            if opened is None:
                self._differ("a record that does not open", step.plain.hex(), got.hex())
                return
            expected, got = step.plain, opened
        pairing = attribute.iid in _PAIRING_IIDS
        self._differ(
            show.differs(expected, got),
            show.response(expected, pairing=pairing),
            show.response(got, pairing=pairing),
        )

    def _lists_pairings(self, step: Read, got: bytes) -> bool:
        """Whether this is a part of a list of pairings, which is compared as a whole: the order means nothing."""
        if step.plain is None or self._keys is None or step.counter is None or step.answer is None:
            return False
        opened = open_record(self._keys, step.counter, got)
        if step.answer.status or records_of(step.answer.body) is None or opened is None:
            return False
        if not step.plain[:1] or not step.plain[0] & 0x80:
            self._link.list = ResponseReader(step.plain[1])
        try:
            response = self._link.list.feed(opened)
        except PduError:
            return False
        if response is not None and (reason := differ(step.answer.body, response.body)):
            whole = step.plain[:3] + len(step.answer.body).to_bytes(2, "little") + step.answer.body
            ours = bytes((2, response.tid, response.status)) + len(response.body).to_bytes(2, "little") + response.body
            self._differ(reason, show.response(whole, pairing=True), show.response(ours, pairing=True))
        return True

    # Events.

    def _indication(self, step: Indication) -> None:
        attribute = self._attribute(step.handle)
        handle = self._handle(attribute)
        self._compared += 1
        self._link.moved = True
        if handle not in self._link.indicated and not self._writing():
            self._raise(attribute.iid)
        if handle in self._link.indicated:
            self._link.indicated.remove(handle)
        else:
            # It waits for the session, or for the subscription, that the next step brings.
            self._link.owed.append((handle, attribute.iid))

    def _writing(self) -> bool:
        """Whether a write is about to be executed that may have led to it."""
        step = self._case.steps[self._index + 1] if self._index + 1 < len(self._case.steps) else None
        request = self._link.requests.get(step.handle) if isinstance(step, Read) else None
        return request is not None and request.opcode in _WRITES and request.iid not in _PAIRING_IIDS

    def _settle(self) -> None:
        for handle, iid in self._link.owed:
            if handle not in self._link.indicated:
                self._raise(iid)
            if handle in self._link.indicated:
                self._link.indicated.remove(handle)
            else:
                self._differ("an indication is missing", self._name(iid), "nothing")
        self._link.owed = []

    def _raise(self, iid: int) -> None:
        """The application changed a value."""
        self._engine.values_changed([CharacteristicId(1, iid)], self._now)
        self._pump()

    def _confirm(self) -> None:
        """What is indicated up to here has changed while the first one waited, in whatever order."""
        upcoming: list[int] = []
        for step in self._case.steps[self._index + 1 :]:
            if isinstance(step, Indication):
                upcoming.append(self._attribute(step.handle).iid)
            elif not isinstance(step, Confirm):
                break
        for iid in reversed(upcoming):
            cell = self._engine.table.find(iid)
            if cell is not None and cell.handle not in self._link.indicated:
                self._raise(iid)
        self._engine.indication_confirmed(self._now)
        self._pump()

    def _catch_up(self, number: int | None) -> None:
        """Something changed that nothing else shows: conclude it from the state number."""
        state = self._engine.state_number
        if number is None or self._link.moved or state.moved or number != numbers.after(state.value):
            return
        for service in self._engine.gatt:
            for one in service.characteristics:
                cell = self._engine.table.cells[one.handle]
                quiet = not self._engine.subscribed(one.handle) and one.iid not in self._engine.broadcasts.settings
                if cell.characteristic.disconnected_events and quiet:
                    self._raise(one.iid)
                    return

    def _advert(self, step: Advert) -> None:
        state = air.OnAir(step.data, step.scan_response, step.interval)
        self._recorded.append((step.t, state))
        self._compared += 1
        if step.event is not None:
            number, iid, data = step.event
            if self._jumps(number):
                self._restart(numbers.before(number))
            if number != self._engine.state_number.value:
                self._application.set(iid, self._application.value(iid, data))
                self._raise(iid)
        elif not self._linked and step.gsn is not None:
            if self._jumps(step.gsn):
                self._restart(step.gsn)
            self._catch_up(step.gsn)

    def _disconnect(self, step: Disconnected) -> None:
        if step.by_accessory:
            self._await_drop(step.t + _SLACK)
            if self._link.dropped is None:
                self._differ("the link should be dropped", "dropped", "kept")
            elif abs(self._link.dropped - step.t) > _SLACK:
                self._differ("the link is dropped at another time", f"{step.t:.2f} s", f"{self._link.dropped:.2f} s")
        elif self._link.dropped is not None and step.t - self._link.dropped > _SLACK:
            self._differ("the link is dropped", "kept", f"dropped at {self._link.dropped:.2f} s")
        for handle in self._link.indicated:
            self._differ("an indication too much", "nothing", f"handle {handle}")
        self._compared += 1
        self._catch_up(numbers.following(self._script, self._case, self._index))
        self._link, self._linked = Link(), False
        self._engine.link_closed(self._now)
        self._recorded.append((step.t, air.UNKNOWN))
        self._pump()

    def _await_drop(self, until: float) -> None:
        """Let no more time pass than it takes: what comes next may be recorded to happen at once."""
        while self._link.dropped is None:
            due = self._engine.next_timeout()
            if due is None or due > _START + until:
                return
            self._advance(due - _START)

    def _differ(self, reason: str, expected: str, got: str) -> None:
        self._differences.append(
            Difference(
                self._script.name,
                self._case.name,
                "link",
                self._index,
                self._now - _START,
                reason,
                expected,
                got,
                self._cause,
            )
        )
