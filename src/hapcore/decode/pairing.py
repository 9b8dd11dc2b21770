"""Pairing messages for people: every item by its name (HAP 1.4), what is secret or sealed by its size."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from hapcore.codec import tlv8
from hapcore.codec.tlv8 import TlvError
from hapcore.pairing.items import Flags, Item, Method, State, TlvErrorCode

__all__ = ["PAIRING_PATHS", "PairingMessage", "read_pairing"]

PAIRING_PATHS: Final = ("/pair-setup", "/pair-verify", "/pairings")

_NAMES: Final = {one.value: one.name.title().replace("_", "").replace("SessionId", "SessionID") for one in Item}
_METHODS: Final = {one.value: one.name.lower().replace("_", " ") for one in Method}
_ERRORS: Final = {one.value: one.name.title().replace("_", "") for one in TlvErrorCode}
#: Public keys of 32 bytes are shown: they tell sessions and controllers apart. SRP's are too long to be of use.
_SHOWN: Final = 64


@frozen
class PairingMessage:
    """What a message says. `procedure` is "pair-verify", "list pairings" ...; `state` 1 to 6, None where there is none.

    `details` has an entry for each item, "Identifier" with its text and so on.
    """

    procedure: str
    state: int | None
    error: str | None
    public: bytes
    proof: bool
    transient: bool
    details: tuple[tuple[str, str], ...]

    @property
    def title(self) -> str:
        """ "pair-setup M4: error Authentication"."""
        title = self.procedure if self.state is None else f"{self.procedure} M{self.state}"
        return title if self.error is None else f"{title}: error {self.error}"


def read_pairing(path: str, body: bytes) -> PairingMessage:
    """Read the body of a request or answer, as far as it can be. Never raises."""
    procedure = path.removeprefix("/") or "pairing"
    try:
        items = tlv8.decode_tolerant(body)
    except TlvError as problem:
        return PairingMessage(
            procedure, None, None, b"", False, False, (("Not TLV8", f"<{len(body)} bytes>: {problem}"),)
        )
    method, state = _byte(items, Item.METHOD), _byte(items, Item.STATE)
    error = tlv8.first(items, Item.ERROR)
    if path == "/pairings" and method is not None and method in _METHODS:
        procedure = _METHODS[method]
    return PairingMessage(
        procedure,
        state if state in set(State) else None,
        None if error is None else _ERRORS.get(int.from_bytes(error, "little"), str(int.from_bytes(error, "little"))),
        tlv8.first(items, Item.PUBLIC_KEY) or b"",
        tlv8.first(items, Item.PROOF) is not None,
        bool(int.from_bytes((tlv8.first(items, Item.FLAGS) or b"")[:8], "little") & Flags.TRANSIENT),
        tuple((_NAMES.get(kind, f"Item {kind:#04x}"), _shown(kind, value)) for kind, value in items),
    )


def _byte(items: tlv8.Items, item: Item) -> int | None:
    value = tlv8.first(items, item)
    return value[0] if value is not None and len(value) == 1 else None


def _shown(kind: int, value: bytes) -> str:
    number = int.from_bytes(value, "little") if len(value) <= 8 else None
    if kind == Item.STATE and number is not None:
        return f"M{number}"
    if kind == Item.METHOD and number is not None:
        return f"{_METHODS.get(number, 'unknown')} ({number})"
    if kind == Item.ERROR and number is not None:
        return f"{_ERRORS.get(number, 'unknown')} ({number})"
    if kind == Item.IDENTIFIER:
        return value.decode("utf-8", "replace")
    if kind == Item.PERMISSIONS and number is not None:
        return f"{'admin' if number & 1 else 'user'} ({number})"
    if kind == Item.FLAGS and number is not None:
        return f"{number:#010x}" + "".join(f" {one.name}" for one in Flags if number & one)
    if kind == Item.RETRY_DELAY and number is not None:
        return f"{number} s"
    if kind == Item.SEPARATOR:
        return ""
    if kind in (Item.PUBLIC_KEY, Item.SALT, Item.SESSION_ID) and len(value) <= _SHOWN:
        return value.hex()
    return f"<{len(value)} bytes>"
