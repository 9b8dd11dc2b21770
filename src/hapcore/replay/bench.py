"""The database `bench` of the recorded sessions with Apple's accessory code, and its two examples, in our model.

Same numbers, types, limits and permissions; `bench()` also has the handlers that the recordings show:

- 0x62, a control point: echoes what was written, with an item 7F that counts the writes;
- 0x65 refuses the values 1 to 6, each with an error of its own; `fail_reads` makes its reads fail;
- 0x68 wants the authorization data AABB: `authorised` is for whoever answers write requests.
"""

from __future__ import annotations

from collections.abc import Iterable

from hapcore.catalogue import Category
from hapcore.catalogue import characteristics as c
from hapcore.catalogue import service_types as s
from hapcore.codec import tlv8
from hapcore.errors import LocalProtocolError
from hapcore.ids import Caller, HapStatus, Value
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import AnyCharacteristic, Characteristic, CharacteristicType, HapStatusError
from hapcore.model.database import Database
from hapcore.model.metadata import Format, Metadata, Unit
from hapcore.model.service import Service, ServiceType

AUTHORIZATION = b"\xaa\xbb"
#: What 0x65 answers to a write of 1 to 6.
WRITE_FAULTS = {
    1: HapStatus.UNABLE_TO_COMMUNICATE,
    2: HapStatus.UNABLE_TO_COMMUNICATE,
    3: HapStatus.INVALID_VALUE,
    4: HapStatus.OUT_OF_RESOURCES,
    5: HapStatus.INSUFFICIENT_AUTHORIZATION,
    6: HapStatus.BUSY,
}
_COUNT = 0x7F
_PYTHON: dict[Format, type] = {
    Format.BOOL: bool,
    Format.FLOAT: float,
    Format.STRING: str,
    Format.TLV8: bytes,
    Format.DATA: bytes,
}


def _service_type(number: int) -> ServiceType:
    return ServiceType(f"Bench {number:X}", f"AD{number:06X}-0ADC-4ADC-8ADC-B0B0B0B0B0B0")


def _own(
    iid: int,
    kind: Format,
    perms: str,
    *,
    clear: bool = False,
    disconnected_events: bool | None = None,
    **limits: object,
) -> AnyCharacteristic:
    """A characteristic of the test's own type; `clear` is open to everybody over Bluetooth LE."""
    meta = Metadata(kind, perms.split(), **limits)  # type: ignore[arg-type]
    uuid = f"AD{iid:06X}-0ADC-4ADC-8ADC-B0B0B0B0B0B0"
    own: CharacteristicType[Value] = CharacteristicType(f"Bench {iid:X}", uuid, meta, _PYTHON.get(kind, int))
    return Characteristic(own, iid=iid, clear_read=clear, clear_write=clear, disconnected_events=disconnected_events)


def _signature(iid: int) -> AnyCharacteristic:
    return Characteristic(c.SERVICE_SIGNATURE, iid=iid)


def _information(name: str, model: str, firmware: str) -> Service:
    version = "Internal;Nov 20 2026 07:48:58"
    return Service(
        s.ACCESSORY_INFORMATION,
        [
            Characteristic(c.IDENTIFY, iid=0x02),
            Characteristic(c.MANUFACTURER, "Acme", iid=0x03),
            Characteristic(c.MODEL, model, iid=0x04),
            Characteristic(c.NAME, name, iid=0x05),
            Characteristic(c.SERIAL_NUMBER, "099DB48E9E28", iid=0x06),
            Characteristic(c.FIRMWARE_REVISION, firmware, iid=0x07),
            Characteristic(c.HARDWARE_REVISION, "1", iid=0x08),
            Characteristic(c.ADK_VERSION, version, iid=0x09),
        ],
        iid=0x01,
    )


def _server_services() -> list[Service]:
    protocol = [_signature(0x11), Characteristic(c.VERSION, "1.1.0", iid=0x12)]
    pairing: list[AnyCharacteristic] = [
        Characteristic(c.PAIR_SETUP, iid=0x22),
        Characteristic(c.PAIR_VERIFY, iid=0x23),
        Characteristic(c.PAIRING_FEATURES, iid=0x24),
        Characteristic(c.PAIRING_PAIRINGS, iid=0x25),
    ]
    return [
        Service(s.PROTOCOL_INFORMATION, protocol, iid=0x10),
        Service(s.PAIRING, pairing, iid=0x20),
    ]


def _light() -> Service:
    everything = ["pr", "pw", "ev", "bn"]
    return Service(
        s.LIGHTBULB,
        [
            _signature(0x31),
            Characteristic(c.NAME, "Bench Light", iid=0x32),
            Characteristic(c.ON, iid=0x33),
            Characteristic(c.BRIGHTNESS, perms=everything, iid=0x34),
            Characteristic(c.HUE, perms=everything, iid=0x35),
        ],
        primary=True,
        iid=0x30,
    )


def _lock() -> Service:
    return Service(
        s.LOCK_MECHANISM,
        [
            _signature(0x41),
            Characteristic(c.LOCK_CURRENT_STATE, max=3, iid=0x42),
            Characteristic(c.LOCK_TARGET_STATE, perms=["pr", "pw", "ev", "aa", "tw", "bn"], iid=0x43),
        ],
        iid=0x40,
    )


def _formats() -> Service:
    largest = 3.4028235e38
    return Service(
        _service_type(0x50),
        [
            _signature(0x51),
            _own(0x52, Format.UINT8, "pr pw ev bn", min=10, max=200, step=5),
            _own(0x53, Format.UINT16, "pr pw ev bn", unit=Unit.SECONDS),
            _own(0x54, Format.UINT32, "pr pw ev bn", disconnected_events=False, min=5, max=4_000_000_000, step=0),
            _own(0x55, Format.UINT64, "pr pw ev bn"),
            _own(0x56, Format.INT, "pr pw ev bn", unit=Unit.CELSIUS, min=-100, max=100, step=10),
            _own(0x57, Format.FLOAT, "pr pw ev bn", unit=Unit.LUX, min=-1.5, max=1.5, step=0.1),
            _own(0x58, Format.STRING, "pr pw ev", description='String with "quotes" é'),
            _own(0x59, Format.DATA, "pr pw"),
            _own(0x5A, Format.TLV8, "pr pw"),
            _own(0x5B, Format.STRING, "pr pw", max_len=256),
            _own(0x5C, Format.FLOAT, "pr pw ev", min=-largest, max=largest, step=0.0),
        ],
        iid=0x50,
    )


def _access(linked: Iterable[Service]) -> Service:
    admin_only = _own(0x66, Format.BOOL, "pr pw ev")
    admin_only.admin_only_read = admin_only.admin_only_write = True
    return Service(
        _service_type(0x60),
        [
            _signature(0x61),
            _control_point(),
            _own(0x63, Format.UINT8, "pw"),
            _own(0x64, Format.UINT8, "pr"),
            _fault(),
            admin_only,
            _own(0x67, Format.BOOL, "pr pw tw"),
            _guarded(),
            _own(0x69, Format.UINT8, "pr pw", clear=True),
            _own(0x6A, Format.UINT8, "pr pw hd"),
            Characteristic(
                c.TARGET_HEATING_COOLING_STATE, perms=["pr", "pw", "ev", "bn"], valid_values=[0, 1, 3], iid=0x6B
            ),
            Characteristic(
                c.TARGET_AIR_PURIFIER_STATE,
                perms=["pr", "pw"],
                max=20,
                valid_ranges=[(1, 3), (10, 12)],
                iid=0x6C,
            ),
        ],
        linked=linked,
        iid=0x60,
    )


def _control_point() -> AnyCharacteristic:
    point = _own(0x62, Format.TLV8, "pr pw wr")
    items: list[tuple[int, bytes]] = []
    count = 0

    def answer() -> bytes:
        return tlv8.encode([*items, (_COUNT, bytes([count & 0xFF]))])

    @point.setter
    def _(value: Value, _: Caller) -> bytes:
        nonlocal count
        items[:] = tlv8.decode(value if isinstance(value, bytes) else b"")
        count += 1
        return answer()

    @point.getter
    def _(_: Caller) -> bytes:
        return answer()

    return point


def _fault() -> AnyCharacteristic:
    fault = _own(0x65, Format.UINT8, "pr pw ev")

    @fault.setter
    def _(value: Value, _: Caller) -> None:
        status = WRITE_FAULTS.get(value) if isinstance(value, int) else None
        if status is not None:
            raise HapStatusError(status)

    return fault


def _guarded() -> AnyCharacteristic:
    guarded = _own(0x68, Format.BOOL, "pr pw aa")
    guarded.write_handled = True
    return guarded


def authorised(auth_data: bytes | None) -> HapStatus:
    """What 0x68 answers to a write with these authorization data."""
    return HapStatus.SUCCESS if auth_data == AUTHORIZATION else HapStatus.INSUFFICIENT_AUTHORIZATION


def fail_reads(database: Database, status: HapStatus | None) -> None:
    """Let reads of 0x65 fail with `status`, or succeed again with None."""
    fault = database.find(1, 0x65)
    if fault is None:
        raise LocalProtocolError("has no characteristic 1.101", argument="database")

    def read(_: Caller) -> Value:
        if status is not None:
            raise HapStatusError(status)
        held: Value = fault.value
        return held

    fault.getter(read)


def bench() -> Database:
    """The test database, with the numbers and the first values of the recordings."""
    light, lock = _light(), _lock()
    access = _access([light, lock])
    light.linked.append(access)
    hidden = Service(
        _service_type(0x70), [_signature(0x71), _own(0x72, Format.UINT8, "pr pw hd")], hidden=True, iid=0x70
    )
    services = [
        _information("Bench", "Bench1,1", "1.2.3"),
        *_server_services(),
        light,
        lock,
        _formats(),
        access,
        hidden,
    ]
    return Database([Accessory("Bench", services=services, category=Category.LIGHTBULB)])


def lightbulb() -> Database:
    """The SDK's example."""
    bulb = Service(
        s.LIGHTBULB,
        [_signature(0x31), Characteristic(c.NAME, "Light Bulb", iid=0x32), Characteristic(c.ON, iid=0x33)],
        primary=True,
        iid=0x30,
    )
    services = [_information("Acme Light Bulb", "LightBulb1,1", "1"), *_server_services(), bulb]
    return Database([Accessory("Acme Light Bulb", services=services)])


def lock() -> Database:
    """The SDK's other example, as it is over Bluetooth LE."""
    mechanism = Service(
        s.LOCK_MECHANISM,
        [
            _signature(0x31),
            Characteristic(c.NAME, "Lock", iid=0x32),
            Characteristic(c.LOCK_CURRENT_STATE, max=3, iid=0x33),
            Characteristic(c.LOCK_TARGET_STATE, perms=["pr", "pw", "ev", "tw", "bn"], iid=0x34),
        ],
        primary=True,
        iid=0x30,
    )
    management = Service(
        s.LOCK_MANAGEMENT,
        [
            _signature(0x41),
            Characteristic(c.LOCK_CONTROL_POINT, perms=["pw", "tw"], iid=0x42),
            Characteristic(c.VERSION, "1.0", iid=0x43),
        ],
        linked=[mechanism],
        iid=0x40,
    )
    mechanism.linked.append(management)
    services = [_information("Acme Lock", "Lock1,1", "1"), *_server_services(), mechanism, management]
    return Database([Accessory("Acme Lock", services=services)])
