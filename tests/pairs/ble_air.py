"""Both Bluetooth LE engines on one air, in virtual time: a link with any fragment size that can break anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha512
from typing import Any

from hapcore.accessory.config import Config
from hapcore.accessory.events import ReadRequested, WriteRequested
from hapcore.ble.accessory.effects import (
    DropLink,
    GattIndicate,
    GattRefuse,
    GattReply,
    SetAdvertisement,
    StopAdvertising,
)
from hapcore.ble.accessory.peripheral import Peripheral
from hapcore.ble.controller import (
    Advertisement,
    GattConnect,
    GattDisconnect,
    GattRead,
    GattReadDescriptor,
    GattResult,
    GattSubscribe,
    GattWrite,
    Peer,
    Scan,
)
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.catalogue import characteristics as c
from hapcore.catalogue import service_types as s
from hapcore.controller.events import CharacteristicChanged
from hapcore.engine import Command, CommandId, Done, Failed, Forget, Output, Persist
from hapcore.entropy import Entropy
from hapcore.ids import CharacteristicId
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.metadata import Format, Metadata
from hapcore.model.service import Service
from hapcore.pairing.records import Pairing, new_controller_identity
from hapcore.setup_code import SetupCode

CODE = SetupCode("031-45-154")
ADDRESS = "C0:00:00:00:00:01"
NOTE: CharacteristicType[Any] = CharacteristicType(
    "Note", "00000001-1111-4222-8333-444455556666", Metadata(Format.DATA, ["pr", "pw"]), bytes
)
ON, LEVEL, OTHER, LOCK, TEXT = (CharacteristicId(1, iid) for iid in (101, 102, 103, 104, 105))
#: Attribute values of which one write fits into the MTU: from the smallest there is to the largest that is used.
SIZES = (20, 36, 84, 97, 155, 182, 244, 509, 512)


def draws(seed: str) -> Entropy:
    """Fresh bytes for every draw, the same in every run."""
    count = 0

    def entropy(label: str, length: int) -> bytes:
        nonlocal count
        count += 1
        found = b""
        while len(found) < length:
            found += sha512(f"{seed}/{label}/{count}/{len(found)}".encode()).digest()
        return found[:length]

    return entropy


IDENTITY = new_controller_identity(draws("controller"))


def lamp() -> Accessory:
    """Two lights and a lock; the first light broadcasts, the second is only told while connected."""
    everything = ["pr", "pw", "ev", "bn"]
    return Accessory(
        "Lamp",
        services=[
            Service(
                s.LIGHTBULB,
                [
                    Characteristic(c.ON, perms=everything, iid=101, disconnected_events=True),
                    Characteristic(c.BRIGHTNESS, perms=everything, iid=102, disconnected_events=True),
                ],
                primary=True,
            ),
            Service(s.LIGHTBULB, [Characteristic(c.ON, iid=103)], key="other"),
            Service(
                s.LOCK_MECHANISM,
                [
                    Characteristic(c.LOCK_CURRENT_STATE),
                    Characteristic(c.LOCK_TARGET_STATE, perms=["pr", "pw", "ev", "tw"], iid=104),
                    Characteristic(NOTE, iid=105),
                ],
            ),
        ],
    )


class Air:
    """`cut` is asked before and after each GATT operation, with its number; True breaks the link there."""

    def __init__(self, *, size: int = 182, state: dict[str, bytes] | None = None, cache: bytes | None = None) -> None:
        self.size = size
        self.time = 0.0
        self.state: dict[str, bytes] = {} if state is None else state
        self.model = lamp()
        self.accessory = Peripheral(
            self.model, config=Config(name="Lamp", setup_code=CODE), state=self.state, entropy=draws("accessory")
        )
        self.cache = cache
        self.peer = Peer(entropy=draws("peer"), device_id=self.accessory.device_id, cache=cache)
        self.connected = False
        self.scanning = False
        self.advertisement: bytes | None = None
        self.answering: int | None = None
        self.operations = 0
        self.cut: Callable[[int, str], bool] = lambda number, place: False
        self.outputs: list[Output] = []
        self.events: list[Output] = []
        self.accessory.start(0.0)
        self.pump()

    def restart(self) -> None:
        """The program of the controller starts anew with what was stored."""
        self.peer = Peer(entropy=draws("again"), pairing=self.peer.pairing, cache=self.cache)
        self.lose()

    # --- what a test says -----------------------------------------------------------------------------------------

    def do(self, command: Command[Any]) -> CommandId:
        number = self.peer.submit(command, self.time)
        self.pump()
        return number

    def ask(self, command: Command[Any]) -> Any:
        return self.wait(self.do(command))

    def wait(self, number: CommandId) -> Any:
        end = self.time + 300.0
        while not self.replies(number):
            assert self.step(end), "no reply"
        (reply,) = self.replies(number)
        return reply.result if isinstance(reply, Done) else reply.error

    def replies(self, number: CommandId) -> list[Done | Failed]:
        return [one for one in self.outputs if isinstance(one, Done | Failed) and one.command == number]

    def changes(self) -> list[tuple[int, Any]]:
        return [(one.id.iid, one.value) for one in self.outputs if isinstance(one, CharacteristicChanged)]

    def set(self, one: CharacteristicId, value: Any) -> None:
        """The accessory's own change."""
        from hapcore.accessory.commands import UpdateValues

        self.accessory.submit(UpdateValues({one: value}), self.time)
        self.pump()

    def value(self, one: CharacteristicId) -> Any:
        found = self.accessory.database.find(*one)
        assert found is not None
        return found.value

    def run(self, seconds: float) -> None:
        end = self.time + seconds
        while self.step(end):
            pass

    def step(self, end: float) -> bool:
        due = [one for one in (self.peer.next_timeout(), self.accessory.next_timeout()) if one is not None]
        hears = self.scanning and not self.connected and self.advertisement is not None
        then = min([end, *due, *([self.time + 0.25] if hears else [])])
        self.time = max(self.time, then)
        if then >= end:
            return False
        for engine in (self.accessory, self.peer):
            timeout = engine.next_timeout()
            if timeout is not None and timeout <= self.time:
                engine.handle_timeout(self.time)
                self.pump()
        self.hear()
        return True

    def hear(self) -> None:
        """The accessory advertises, if it does."""
        data = self.advertisement
        if data is not None and not self.connected:
            manufacturer = data[7 : 4 + data[3]]
            self.peer.receive_advertisement(Advertisement(ADDRESS, manufacturer, "Lamp", -40), self.time)
            self.pump()

    def lose(self) -> None:
        """The link breaks."""
        if self.connected:
            self.connected = False
            self.answering = None
            self.accessory.link_closed(self.time)
            self.peer.link_lost(self.time)
        self.pump()

    # --- carrying out ---------------------------------------------------------------------------------------------

    def pump(self) -> None:
        moved = True
        while moved:
            moved = False
            while (output := self.accessory.poll()) is not None:
                moved = True
                self._accessory_says(output)
            while (output := self.peer.poll()) is not None:
                moved = True
                self._peer_says(output)

    def _accessory_says(self, output: Output) -> None:
        match output:
            case Persist():
                self.state[output.key] = output.value
            case Forget():
                self.state.pop(output.key, None)
            case SetAdvertisement():
                assert len(output.data) <= 31
                assert len(output.scan_response) <= 31
                changed = self.advertisement != output.data
                self.advertisement = output.data
                if changed and self.scanning:
                    self.hear()
            case StopAdvertising():
                self.advertisement = None
            case GattReply():
                self._answer(GattResult(self.answering or 0, output.data))
            case GattRefuse():
                self._answer(GattResult(self.answering or 0, error=f"ATT error {output.code:02x}"))
            case GattIndicate():
                self.peer.receive_indication(output.handle, self.time)
                self.accessory.indication_confirmed(self.time)
            case DropLink():
                self.lose()
            case ReadRequested() | WriteRequested():
                raise AssertionError(output)
            case _:
                self.events.append(output)

    def _answer(self, result: GattResult) -> None:
        if self.answering is None:
            return
        number, self.answering = self.answering, None
        if self.cut(number, "after"):
            self.lose()
        else:
            self.peer.receive_gatt(result, self.time)

    def _peer_says(self, output: Output) -> None:
        self.outputs.append(output)
        match output:
            case Persist():
                self.cache = output.value
            case Forget():
                self.cache = None
            case Scan():
                self.scanning = output.on
            case GattDisconnect():
                self.lose()
                self.peer.link_lost(self.time)
            case GattConnect() | GattRead() | GattReadDescriptor() | GattWrite() | GattSubscribe():
                self._operate(output)
            case _:
                pass

    def _operate(self, effect: Any) -> None:
        self.operations += 1
        if self.cut(self.operations, "before"):
            if isinstance(effect, GattConnect):
                self.peer.receive_gatt(GattResult(effect.operation, error="no answer"), self.time)
            self.lose()
            return
        self.answering = effect.operation
        if isinstance(effect, GattConnect):
            assert not self.connected
            assert effect.address == ADDRESS
            self.connected = True
            self.accessory.link_opened(self.time, max_read=self.size + 2, max_write=self.size)
            self._answer(GattResult(effect.operation, table=_table(self.accessory.gatt), max_write=self.size))
            return
        assert self.connected, "an operation without a link"
        match effect:
            case GattReadDescriptor():
                iid = next(one.iid for one in _all(self.accessory.gatt) if one.handle == effect.handle)
                self._answer(GattResult(effect.operation, iid.to_bytes(2, "little")))
            case GattRead():
                self.accessory.receive_read(effect.handle, self.time)
            case GattWrite():
                assert len(effect.data) <= max(self.size, 36)
                self.accessory.receive_write(effect.handle, effect.data, self.time)
            case _:
                self.accessory.receive_subscribe(effect.handle, effect.enabled, self.time)


def _all(table: Iterable[GattService]) -> Iterable[GattCharacteristic]:
    return (one for service in table for one in service.characteristics)


def _table(table: Iterable[GattService]) -> tuple[GattService, ...]:
    """As a host sees it: without numbers, and in an order of its own."""
    found = [
        GattService(
            service.uuid,
            0,
            service.handle,
            [
                GattCharacteristic(one.uuid, 0, one.handle, indicates=one.indicates)
                for one in reversed(service.characteristics)
            ],
            service.iid_handle,
        )
        for service in table
    ]
    return tuple(reversed(found))


def paired(**options: Any) -> Air:
    """A pairing, made by hand on both sides: no handshake, no exponentiation."""
    from hapcore.pairing.records import PairedController

    air = Air(**options)
    identity = air.accessory.stored.identity
    pairing = Pairing(identity.device_id, identity.ltpk, IDENTITY.identifier, IDENTITY.ltsk)
    own = PairedController(IDENTITY.identifier.encode(), IDENTITY.ltpk, admin=True)
    air.accessory.stored.pairings[own.identifier] = own
    air.accessory.pairings_changed(0.0)
    air.peer = Peer(entropy=draws("peer"), pairing=pairing, cache=air.cache)
    air.pump()
    return air
