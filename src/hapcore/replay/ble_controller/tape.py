"""A recording over Bluetooth LE as a controller sees it: links, procedures on them, indications, advertisements."""

from __future__ import annotations

from typing import TypeAlias

from attrs import define, field, frozen

from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.codec import tlv8
from hapcore.codec.pdu import Parameter, PduError, Request, RequestReader
from hapcore.codec.tlv8 import TlvError
from hapcore.crypto.secret import Secret
from hapcore.pairing.records import ControllerIdentity
from hapcore.replay.fields import Fields, RecordingError

__all__ = [
    "FORMAT",
    "Case",
    "Gone",
    "Heard",
    "Indicated",
    "Item",
    "Opened",
    "Setup",
    "Switched",
    "Talk",
    "Tape",
    "Verify",
]

FORMAT = "hap-ble-capture-1"


@frozen
class Opened:
    """A new link; the longest value the recorded central wrote."""

    t: float
    max_write: int


@frozen
class Gone:
    """The end of a link."""

    t: float


@frozen
class Indicated:
    """An indication of a characteristic."""

    t: float
    handle: int


@frozen
class Switched:
    """The client configuration of a characteristic was written."""

    t: float
    handle: int
    enabled: bool


@frozen
class Heard:
    """An advertisement; with the key, number, state and value of an encrypted one, if the recording has them."""

    t: float
    manufacturer_data: bytes
    regular: dict[str, object] | None = None
    key: bytes | None = field(default=None, repr=False)
    gsn: int = 0
    iid: int = 0
    value: bytes = b""


@define
class Talk:
    """Writes to one characteristic and the reads that follow; `response` is None where it was not read to its end."""

    t: float
    handle: int
    encrypted: bool
    writes: list[bytes] = field(factory=list[bytes])
    reads: list[bytes] = field(factory=list[bytes])
    plain: list[bytes] = field(factory=list[bytes])
    response: tuple[int, bytes] | None = None
    broken: bool = False
    secures: bool = False

    @property
    def tid(self) -> int:
        """The number of the request."""
        request = self.request
        return 0 if request is None else request.tid

    @property
    def request(self) -> Request | None:
        """The request as a whole; None where it is none, or was not answered."""
        if self.broken or self.response is None:
            return None
        reader = RequestReader()
        request: Request | None = None
        try:
            for fragment in self.plain:
                request = reader.feed(fragment) or request
        except PduError:
            return None
        return request

    @property
    def status(self) -> int:
        """Of the response."""
        return 0 if self.response is None else self.response[0]

    @property
    def body(self) -> bytes:
        """Of the response."""
        return b"" if self.response is None else self.response[1]

    @property
    def message(self) -> dict[int, bytes]:
        """The items of the pairing message in the request."""
        request = self.request
        return _inner(b"" if request is None else request.body or b"")

    @property
    def reply(self) -> dict[int, bytes]:
        """The items of the pairing message in the response."""
        return _inner(self.body)


def _inner(body: bytes) -> dict[int, bytes]:
    try:
        value = tlv8.first(tlv8.decode_tolerant(body), Parameter.VALUE) or b""
        return dict(reversed(tlv8.decode_tolerant(value)))
    except TlvError:
        return {}


Item: TypeAlias = Opened | Gone | Indicated | Switched | Heard | Talk


@frozen
class Setup:
    """The secrets of one pair-setup of the recorded controller."""

    controller: str
    code: str
    a: bytes | None = field(repr=False)
    public: int | None
    proof: int | None
    session_key: bytes | None = field(repr=False)
    encrypt_key: bytes | None = field(repr=False)


@frozen
class Verify:
    """The secrets of one pair-verify or pair-resume of the recorded controller."""

    controller: str
    ephemeral: bytes = field(repr=False)
    verify_key: bytes | None = field(repr=False)
    resumes: tuple[bytes, Secret] | None = None
    request_tag: bytes | None = None


@frozen
class Case:
    """One case: what happened, and the secrets of its handshakes in order."""

    name: str
    items: tuple[Item, ...]
    setups: tuple[Setup, ...]
    verifies: tuple[Verify, ...]


@frozen
class Tape:
    """A whole recording."""

    name: str
    app: str
    device_id: str
    ltpk: bytes
    table: tuple[GattService, ...]
    controllers: dict[str, ControllerIdentity]
    cases: tuple[Case, ...]

    @classmethod
    def read(cls, recording: object) -> Tape:
        """Read the decoded JSON. `RecordingError` says what is missing or of another kind."""
        top = Fields.of(recording)
        if top.text("format", "") != FORMAT:
            raise RecordingError(f"format: expected {FORMAT!r}, got {top.text('format', '')!r}")
        accessory = top.child("accessory")
        gatt = top.objects("gatt")
        switches = {
            int(one.number("ccc")): int(one.number("handle"))
            for service in gatt
            for one in service.objects("characteristics")
            if one.has("ccc")
        }
        return cls(
            top.text("name"),
            accessory.text("app", ""),
            accessory.text("device_id"),
            accessory.hex("ltpk"),
            tuple(_service(service) for service in gatt),
            {
                one.text("id"): ControllerIdentity(one.text("id"), Secret(one.hex("ltsk_seed")))
                for one in top.objects("controllers")
            },
            tuple(_case(case, switches) for case in top.objects("cases")),
        )


def _uuid(text: str) -> str:
    digits = text.upper()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _service(service: Fields) -> GattService:
    return GattService(
        _uuid(service.text("service")),
        int(service.number("iid")),
        int(service.number("handle")),
        [
            GattCharacteristic(
                _uuid(one.text("uuid")), int(one.number("iid")), int(one.number("handle")), indicates=one.has("ccc")
            )
            for one in service.objects("characteristics")
        ],
        int(service.number("iid_handle", 0)),
    )


def _case(case: Fields, switches: dict[int, int]) -> Case:
    setups: list[Setup] = []
    for one in case.objects("pair_setup"):
        srp = one.child("srp") if one.has("srp") else Fields({}, "srp")
        a = srp.maybe_integer("a")
        setups.append(
            Setup(
                one.text("controller", ""),
                srp.text("code", ""),
                a.to_bytes(32, "big") if a is not None and a.bit_length() <= 256 else None,
                srp.maybe_integer("A"),
                srp.maybe_integer("M1"),
                srp.maybe_hex("K"),
                one.maybe_hex("encrypt_key"),
            )
        )
    return Case(
        case.text("name"),
        tuple(_items(case.objects("log"), switches)),
        tuple(setups),
        tuple(_verify(one) for one in case.objects("pair_verify")),
    )


def _verify(one: Fields) -> Verify:
    resume = one.child("resume") if one.has("resume") else None
    known = resume is not None and resume.has("session_id") and resume.has("shared_secret")
    return Verify(
        one.text("controller", ""),
        one.maybe_hex("controller_ephemeral_secret") or b"",
        one.maybe_hex("verify_key"),
        (resume.hex("session_id"), Secret(resume.hex("shared_secret"))) if resume is not None and known else None,
        resume.maybe_hex("request_tag") if resume is not None else None,
    )


def _items(log: list[Fields], switches: dict[int, int]) -> list[Item]:
    items: list[Item] = []
    talk: Talk | None = None
    for record in log:
        op, t = record.text("op", ""), record.number("t", 0.0)
        if op == "write" and record.has("iid"):
            handle, raw = int(record.number("handle")), record.maybe_hex("raw") or b""
            if talk is None or talk.handle != handle or talk.reads or talk.response is not None:
                talk = Talk(t, handle, record.flag("encrypted"))
                items.append(talk)
            talk.writes.append(raw)
            talk.plain.append(record.maybe_hex("plain") or (b"" if talk.encrypted else raw))
            talk.broken |= record.has("att_error") or record.flag("encrypted") is not talk.encrypted
        elif op == "read" and record.has("iid"):
            handle = int(record.number("handle"))
            if talk is None or talk.handle != handle or talk.response is not None or not talk.writes:
                talk = Talk(t, handle, record.flag("encrypted"), broken=True)
                items.append(talk)
            talk.reads.append(record.maybe_hex("raw") or b"")
            talk.broken |= record.has("att_error")
            if record.has("result"):
                result = record.child("result")
                talk.response = (int(result.number("status", 0)), result.maybe_hex("body") or b"")
        elif op == "write" and int(record.number("handle", 0)) in switches:
            if not record.has("att_error"):
                enabled = (record.maybe_hex("raw") or b"")[:1] == b"\x02"
                items.append(Switched(t, switches[int(record.number("handle"))], enabled))
        elif op == "connect":
            talk = None
            items.append(Opened(t, int(record.number("max_write", 512))))
        elif op == "disconnected":
            talk = None
            items.append(Gone(t))
        elif op == "indication":
            items.append(Indicated(t, int(record.number("handle"))))
        elif op == "secured" and talk is not None:
            talk.secures = True
        elif op == "advertising" and record.flag("on") and record.has("ad"):
            items.append(_heard(record, t))
    return items


def _heard(record: Fields, t: float) -> Heard:
    # Flags, then the manufacturer's data with its length, type and company id.
    data = record.hex("ad")
    data = data[7 : 4 + data[3]]
    if record.has("encrypted"):
        one = record.child("encrypted")
        if one.has("key") and one.has("plain"):
            plain = one.hex("plain")
            gsn, iid = int.from_bytes(plain[:2], "little"), int.from_bytes(plain[2:4], "little")
            return Heard(t, data, None, one.hex("key"), gsn, iid, plain[4:])
        return Heard(t, data)
    return Heard(t, data, dict(record.child("regular").data) if record.has("regular") else None)
