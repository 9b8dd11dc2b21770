"""What stands on the sticker: the setup code, the setup id, the payload of the QR code and the setup hash (HAP 2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

from attrs import frozen

from hapcore.crypto.secret import Secret
from hapcore.entropy import Entropy, draw
from hapcore.errors import LocalProtocolError

__all__ = [
    "CHANGING_TAG_ONLY",
    "SetupCode",
    "SetupPayload",
    "check_setup_id",
    "matches",
    "new_setup_code",
    "new_setup_id",
    "setup_hash",
]

_CODE = re.compile(r"([0-9]{3})-?([0-9]{2})-?([0-9]{3})", re.ASCII)
_SETUP_ID = re.compile(r"[0-9A-Z]{4}", re.ASCII)
_CODES = 10**8
#: Too easy to guess; every implementation refuses to be set up with one of these (HAP 2.1).
_TRIVIAL = frozenset([*(digit * 11_111_111 for digit in range(10)), 12_345_678, 87_654_321])

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SCHEME = "X-HM://"
_NUMBER_LENGTH = 9
_NO_SETUP_ID = "0000"
_CODE_BITS = 27
_PAIRED, _IP, _BLE, _WAC = 1 << 27, 1 << 28, 1 << 29, 1 << 30
_CATEGORY_SHIFT = 31
_VERSION_SHIFT = 43

#: NDEF: one short record (message begin and end, well-known type "U"), whose first byte says that no prefix of the
#: address is left out.
_NDEF_HEAD, _NDEF_TYPE, _NDEF_WHOLE_ADDRESS = 0xD1, b"U", b"\0"
#: Categories whose accessories may only be set up with a tag that changes, never with a fixed one (HAP 2.3): garage
#: doors, locks, security systems, doors, windows.
CHANGING_TAG_ONLY = frozenset({4, 6, 11, 12, 13})


class SetupCode:
    """A setup code such as 031-45-154 (HAP 2.1): eight digits, given with or without the dashes.

    Raises `LocalProtocolError` for anything else, and for the twelve trivial codes (000-00-000 ... 999-99-999,
    123-45-678, 876-54-321) unless `allow_trivial`: a careless accessory may still have one of them.
    The digits show in `text` and `number` only, never in a repr or an error.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str, *, allow_trivial: bool = False) -> None:
        match = _CODE.fullmatch(text.strip())
        if match is None:
            raise LocalProtocolError("a setup code has eight digits, as in 031-45-154", argument="setup_code")
        dashed = "-".join(match.groups())
        if not allow_trivial and int(dashed.replace("-", "")) in _TRIVIAL:
            raise LocalProtocolError("this setup code is too easy to guess, HomeKit forbids it", argument="setup_code")
        self._text = Secret(dashed.encode())

    @classmethod
    def parse(cls, text: str) -> SetupCode:
        """The same as `SetupCode(text)`."""
        return cls(text)

    @classmethod
    def from_number(cls, number: int, *, allow_trivial: bool = False) -> SetupCode:
        """From the integer form of payloads, 0 to 99 999 999."""
        if not 0 <= number < _CODES:
            raise LocalProtocolError("a setup code has eight digits", argument="number")
        return cls(f"{number:08d}", allow_trivial=allow_trivial)

    @property
    def text(self) -> str:
        """The ten characters XXX-XX-XXX; with their dashes they are the password of Pair Setup."""
        return self._text.reveal().decode()

    @property
    def number(self) -> int:
        """The integer form, 0 to 99 999 999."""
        return int(self.text.replace("-", ""))

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, SetupCode) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a hash table would compare and keep secrets in the open

    def __repr__(self) -> str:
        return "SetupCode(<hidden>)"


def new_setup_code(entropy: Entropy) -> SetupCode:
    """Draw a setup code that is not trivial (label "setup-code", 16 bytes: so many that no bias is left)."""
    number = int.from_bytes(draw(entropy, "setup-code", 16), "big") % _CODES
    while number in _TRIVIAL:  # twice at most, whatever the source replays
        number = (number + 1) % _CODES
    return SetupCode.from_number(number)


def new_setup_id(entropy: Entropy) -> str:
    """Draw a setup id (label "setup-id", 16 bytes); never 0000, which payloads use for "none" (HAP 2.2)."""
    number = 1 + int.from_bytes(draw(entropy, "setup-id", 16), "big") % (36**4 - 1)
    return _base36(number, 4)


def _base36(number: int, length: int) -> str:
    def digits() -> Iterator[str]:
        rest = number
        for _ in range(length):
            rest, digit = divmod(rest, 36)
            yield _DIGITS[digit]

    return "".join(digits())[::-1]


def check_setup_id(setup_id: str) -> str:
    """The setup id, if it is one: four characters 0-9 A-Z (HAP 2.2). Raises `LocalProtocolError` else."""
    if not _SETUP_ID.fullmatch(setup_id):
        raise LocalProtocolError("a setup id is four characters 0-9 A-Z", argument="setup_id")
    return setup_id


@frozen
class SetupPayload:
    """What a QR code or an NFC tag says (HAP 2.3): `X-HM://`, nine base-36 digits, the setup id.

    `code` None stands for "not on the tag" (it is then 0 in the payload), `setup_id` None for 0000. A tag of an
    accessory that is `paired` already carries neither: `uri` leaves them out. `category` is 0 to 255 (HAP 11.4); `wac`
    says that the accessory waits for Wi-Fi configuration.
    """

    code: SetupCode | None
    setup_id: str | None
    category: int
    ip: bool = True
    ble: bool = False
    paired: bool = False
    wac: bool = False

    def __attrs_post_init__(self) -> None:
        if self.setup_id is not None:
            check_setup_id(self.setup_id)
        if not 0 <= self.category <= 0xFF:
            raise LocalProtocolError("a category is 0 to 255", argument="category")

    def uri(self) -> str:
        """The text for the QR code, for example X-HM://00522H1VM1QJ8."""
        known = not self.paired
        number = self.category << _CATEGORY_SHIFT
        for flag, value in ((self.wac, _WAC), (self.ble, _BLE), (self.ip, _IP), (self.paired, _PAIRED)):
            number |= value if flag else 0
        if known and self.code is not None:
            number |= self.code.number
        setup_id = self.setup_id if known and self.setup_id is not None else _NO_SETUP_ID
        return f"{_SCHEME}{_base36(number, _NUMBER_LENGTH)}{setup_id}"

    def ndef(self) -> bytes:
        """The message for an NFC tag: one NDEF record that holds the `uri` (HAP 2.3), 25 bytes."""
        content = _NDEF_WHOLE_ADDRESS + self.uri().encode()
        return bytes((_NDEF_HEAD, len(_NDEF_TYPE), len(content))) + _NDEF_TYPE + content

    @classmethod
    def parse(cls, text: str) -> SetupPayload:
        """Read a scanned text, in any case and with blanks around it. `LocalProtocolError` if it is none of ours.

        Reserved bits are ignored. A trivial code is accepted here: it is what the accessory was given.
        """
        text = text.strip().upper()
        body = text.removeprefix(_SCHEME)
        if body == text or len(body) != _NUMBER_LENGTH + 4 or not all(digit in _DIGITS for digit in body):
            raise LocalProtocolError(f"a setup payload is {_SCHEME} and 13 letters or digits", argument="text")
        number = int(body[:_NUMBER_LENGTH], 36)
        if number >> _VERSION_SHIFT:
            raise LocalProtocolError("this setup payload has a version newer than 0", argument="text")
        code = number & ((1 << _CODE_BITS) - 1)
        if code >= _CODES:
            raise LocalProtocolError("the code in this setup payload has more than eight digits", argument="text")
        setup_id = body[_NUMBER_LENGTH:]
        return cls(
            code=SetupCode.from_number(code, allow_trivial=True) if code else None,
            setup_id=None if setup_id == _NO_SETUP_ID else setup_id,
            category=(number >> _CATEGORY_SHIFT) & 0xFF,
            ip=bool(number & _IP),
            ble=bool(number & _BLE),
            paired=bool(number & _PAIRED),
            wac=bool(number & _WAC),
        )


def setup_hash(setup_id: str, device_id: str) -> str:
    """The TXT value `sh` (HAP 2.2): eight base64 characters of the first four bytes of SHA-512(setup id, device id).

    The device id goes in as its upper-case text, whatever case it is given in.
    """
    digest = hashlib.sha512((check_setup_id(setup_id) + device_id.upper()).encode()).digest()
    return base64.b64encode(digest[:4]).decode()


def matches(setup_id: str, device_id: str, found_hash: str | None) -> bool:
    """Whether an accessory that announces `found_hash` and `device_id` is the one whose tag carries `setup_id`."""
    if found_hash is None:
        return False
    try:
        found = base64.b64decode(found_hash, validate=True)
    except (binascii.Error, ValueError):
        return False
    return found == base64.b64decode(setup_hash(setup_id, device_id))
