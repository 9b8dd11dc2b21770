"""Bonjour, as data: what an accessory announces and what a controller makes of an announcement (HAP 11).

Nothing here sends or hears a packet. An engine emits `Advertise` with a `ServiceRecord`; an adapter's mDNS wrapper
turns the records it resolves into `DiscoveredAccessory` with `parse_txt`.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Iterable, Mapping
from enum import Enum, IntFlag

from attrs import field, frozen

from hapcore.engine import Effect
from hapcore.errors import LocalProtocolError

__all__ = [
    "SERVICE_TYPE",
    "Advertise",
    "DiscoveredAccessory",
    "FeatureFlags",
    "Gone",
    "ServiceRecord",
    "StatusFlags",
    "Transport",
    "Unadvertise",
    "device_key",
    "host_label",
    "instance_name",
    "parse_txt",
]

#: The DNS-SD service type of accessories on IP (HAP 11.1).
SERVICE_TYPE = "_hap._tcp.local."

#: A DNS label holds at most this many bytes (RFC 1035 2.3.4).
_MAX_LABEL = 63
#: One "key=value" string of a TXT record has a length byte before it.
_MAX_TXT_STRING = 255
#: More addresses than this are no host of ours; each one may cost a connection attempt.
_MAX_ADDRESSES = 16
#: c# and s# are 16 bits on the wire of BLE and wrap there (HAP 11.2).
_MAX_NUMBER = 0xFFFF
_MAX_FLAGS = 0xFFFFFFFF


class Transport(Enum):
    """How an accessory is spoken to."""

    IP = "ip"
    BLE = "ble"


class StatusFlags(IntFlag):
    """The TXT value `sf`."""

    NOT_PAIRED = 1
    NOT_CONFIGURED = 2
    PROBLEM = 4


class FeatureFlags(IntFlag):
    """The TXT value `ff`: how the accessory can prove to be certified."""

    COPROCESSOR = 1
    SOFTWARE_TOKEN = 2


def device_key(device_id: str) -> str:
    """The form in which two device ids are compared: letters in upper case (HAP 2.2)."""
    return device_id.strip().upper()


def _clip(text: str, limit: int) -> str:
    """Cut to `limit` bytes of UTF-8 without cutting a character."""
    return text.encode()[:limit].decode(errors="ignore")


def _printable(text: str) -> str:
    """Without control characters: what a stranger announces ends up on terminals."""
    return "".join(character for character in text if unicodedata.category(character) not in ("Cc", "Cs"))


def instance_name(name: str, attempt: int = 1) -> str:
    """The DNS-SD instance name for an accessory's name: one label of at most 63 bytes (HAP 11.3).

    `attempt` counts the names tried: from the second on, " (2)" and so on is appended, for a network that has the
    name already. A dot becomes U+2024, which looks the same: resolvers that split names at dots would see two labels.
    """
    suffix = f" ({attempt})" if attempt > 1 else ""
    clean = _printable(name).replace(".", "\N{ONE DOT LEADER}").strip() or "Accessory"
    return _clip(clean, _MAX_LABEL - len(suffix)).rstrip() + suffix


def host_label(device_id: str) -> str:
    """A DNS label for the host: the letters and digits of the device id, at most 63 (HAP 11.3)."""
    label = "".join(character for character in device_key(device_id) if character.isascii() and character.isalnum())
    return label[:_MAX_LABEL] or "HAP"


@frozen
class ServiceRecord:
    """What an accessory announces about itself (HAP 11.2). On IP the state number is always 1.

    `name` is the accessory's name in any length (see `instance_name`), `config_number` c# 1 to 65535, `category` 0 to
    255, `setup_hash` the eight characters of `setup_code.setup_hash`, None for an accessory without a setup id.
    Raises `LocalProtocolError` for numbers out of range.
    """

    name: str
    device_id: str
    config_number: int
    category: int
    status_flags: StatusFlags = field(converter=StatusFlags)
    feature_flags: FeatureFlags = field(default=FeatureFlags(0), converter=FeatureFlags)
    model: str = ""
    protocol_version: str = "1.1"
    state_number: int = 1
    setup_hash: str | None = None

    def __attrs_post_init__(self) -> None:
        for argument, value, least, most in (
            ("config_number", self.config_number, 1, _MAX_NUMBER),
            ("state_number", self.state_number, 1, _MAX_NUMBER),
            ("category", self.category, 0, 0xFF),
            ("status_flags", self.status_flags, 0, _MAX_FLAGS),
            ("feature_flags", self.feature_flags, 0, _MAX_FLAGS),
        ):
            if not least <= value <= most:
                raise LocalProtocolError(f"{value} is not within {least} to {most}", argument=argument)
        if not self.device_id:
            raise LocalProtocolError("controllers drop an announcement without one", argument="device_id")

    def txt(self) -> dict[str, str]:
        """The TXT strings, in the order in which Apple's own accessory sends them."""
        values = {
            "c#": str(self.config_number),
            "ff": str(int(self.feature_flags)),
            "id": device_key(self.device_id),
            "md": _printable(self.model),
            "pv": self.protocol_version,
            "s#": str(self.state_number),
            "sf": str(int(self.status_flags)),
            "ci": str(self.category),
        }
        if self.setup_hash is not None:
            values["sh"] = self.setup_hash
        return {key: _clip(value, _MAX_TXT_STRING - len(key) - 1) for key, value in values.items()}


@frozen
class DiscoveredAccessory:
    """An accessory found on the network or heard on the air. `device_id` names it: compare with `device_key`.

    `addresses` are worth trying in this order (at most 16; link-local and loopback ones last, unusable ones left out)
    and may be empty. `config_number` is 0 where the accessory does not say; when it differs from the last one seen, in
    whichever direction, the database has to be read again.

    On Bluetooth LE `addresses` holds the one it advertises from and `port` is 0, `model` is not known, `state_number`
    changes with every change while nobody is connected, and `rssi` is how strong it was when that was heard, in dBm.
    """

    name: str
    device_id: str
    addresses: tuple[str, ...]
    port: int
    model: str
    category: int
    config_number: int
    state_number: int
    feature_flags: FeatureFlags
    status_flags: StatusFlags
    setup_hash: str | None
    protocol_version: str
    transport: Transport = Transport.IP
    rssi: int | None = field(default=None, eq=False)

    @property
    def paired(self) -> bool:
        """Whether some controller has paired it already."""
        return not self.status_flags & StatusFlags.NOT_PAIRED


@frozen
class Gone:
    """The announcement of an accessory was withdrawn or ran out. Only a hint: an open session stays open (HAP 11.3)."""

    name: str
    device_id: str


@frozen
class Advertise(Effect):
    """Announce `record`, or what has changed in it, at once."""

    record: ServiceRecord


@frozen
class Unadvertise(Effect):
    """Withdraw the announcement with a goodbye."""


def parse_txt(
    name: str,
    properties: Mapping[bytes, bytes | str | None] | Mapping[str, bytes | str | None],
    addresses: Iterable[str],
    port: int | None,
) -> DiscoveredAccessory | None:
    """Make what one can of a resolved service (HAP 11.2): None without device id or port, defaults for the rest.

    `name` is the instance name without the service type, `properties` the TXT record as bytes or text (the first of
    equal keys counts, their case does not), `addresses` texts, IPv6 link-local ones with their scope ("fe80::1%3").
    """
    values: dict[str, str] = {}
    for key, value in properties.items():
        values.setdefault(_text(key).lower(), _printable(_text(value)))
    device_id = device_key(values.get("id", ""))
    if not device_id or port is None or not 1 <= port <= 0xFFFF:
        return None
    return DiscoveredAccessory(
        name=_printable(name),
        device_id=device_id,
        addresses=_rank(addresses),
        port=port,
        model=values.get("md", ""),
        category=_read(values, "ci", 1, _MAX_NUMBER),
        config_number=_read(values, "c#", 0, _MAX_NUMBER),
        state_number=_read(values, "s#", 1, _MAX_NUMBER),
        feature_flags=FeatureFlags(_read(values, "ff", 0, _MAX_FLAGS)),
        status_flags=StatusFlags(_read(values, "sf", 0, _MAX_FLAGS)),
        setup_hash=values.get("sh") or None,
        protocol_version=values.get("pv") or "1.0",
    )


def _text(value: bytes | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else bytes(value).decode(errors="replace")


def _read(values: Mapping[str, str], key: str, default: int, most: int) -> int:
    text = values.get(key, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return default
    number = int(text)
    return number if number <= most else default


def _rank(addresses: Iterable[str]) -> tuple[str, ...]:
    """Best first: IPv4, IPv6, link-local, loopback. What cannot be connected to is left out."""
    ranked: list[tuple[int, int, str]] = []
    for position, text in enumerate(addresses):
        if position >= 4 * _MAX_ADDRESSES:
            break
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        scoped = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
        if address.is_unspecified or address.is_multicast:
            continue
        if address.version == 6 and address.is_link_local and not scoped:
            continue  # which link? It cannot be said in a connect
        rank = 3 if address.is_loopback else 2 if address.is_link_local else 0 if address.version == 4 else 1
        ranked.append((rank, position, str(address)))
    ordered = (text for _, _, text in sorted(ranked))
    return tuple(dict.fromkeys(ordered))[:_MAX_ADDRESSES]
