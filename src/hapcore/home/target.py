"""An accessory one has not paired yet: where it is, and how to begin."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from attrs import field, frozen

from hapcore.controller.commands import StartPairSetup
from hapcore.discovery import DiscoveredAccessory, FeatureFlags, StatusFlags, Transport, device_key
from hapcore.errors import LocalProtocolError
from hapcore.pairing.items import Method
from hapcore.pairing.records import Pairing
from hapcore.state import PairedAccessory

__all__ = ["Address", "Method", "Target", "Where", "split_address"]

#: Host and port.
Address: TypeAlias = tuple[str, int]
#: What users name an accessory by: one found, "HOST:PORT", the device id of one over Bluetooth LE, or a target made of
#: these.
Where: TypeAlias = "DiscoveredAccessory | str | Target"
_DEVICE_ID: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")


def split_address(text: str) -> Address:
    """Read "192.0.2.7:51826", "lamp.local:51826" or "[2001:db8::7]:51826". Raises `LocalProtocolError`."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 0xFFFF):
        raise LocalProtocolError(f"{text!r} is not of the form HOST:PORT", argument="address")
    return host, int(port)


#: What feature flags and status flags tell of an accessory that cannot be paired (HAP 11.2).
_CERTIFIED_ONLY: Final = (
    "it announces a software token and no authentication hardware: it may pair with certified controllers only"
)
_NOT_ON_WIFI: Final = "it announces that it is not set up for a Wi-Fi network yet: its maker's app does that"
_PROBLEM: Final = "it announces that it has a problem of its own"


def _advice(found: DiscoveredAccessory) -> str:
    flags, features = found.status_flags, found.feature_flags
    told = [
        text
        for flag, text in ((StatusFlags.NOT_CONFIGURED, _NOT_ON_WIFI), (StatusFlags.PROBLEM, _PROBLEM))
        if flag in flags
    ]
    if FeatureFlags.SOFTWARE_TOKEN in features and FeatureFlags.COPROCESSOR not in features:
        told.append(_CERTIFIED_ONLY)
    return "; ".join(told)


@frozen
class Target:
    """`addresses` to try in this order, and the `start` of a pairing with it; over Bluetooth LE its `device_id`.

    `advice` is what its announcement tells of it that may keep it from being paired.
    """

    addresses: tuple[Address, ...]
    start: StartPairSetup = field(factory=StartPairSetup)
    name: str = ""
    device_id: str = ""
    advice: str = ""

    @classmethod
    def of(cls, where: Where, method: Method | None = None) -> Target:
        """With a `method` of pairing, or the one that its feature flags ask for.

        Raises `LocalProtocolError` for a text that is no address.
        """
        if isinstance(where, Target):
            return where
        start = StartPairSetup(method)
        if isinstance(where, str):
            device_id = device_key(where)
            if _DEVICE_ID.fullmatch(device_id):
                return cls((), start, device_id=device_id)
            return cls((split_address(where),), start)
        advice = _advice(where)
        if where.transport is Transport.BLE:
            return cls(tuple((one, 0) for one in where.addresses), start, where.name, where.device_id, advice)
        if method is None:
            # Only who announces a coprocessor expects to be asked for its certificate (HAP 4.2).
            certified = FeatureFlags.COPROCESSOR in where.feature_flags
            method = Method.PAIR_SETUP_WITH_AUTH if certified else Method.PAIR_SETUP
        return cls(
            tuple((host, where.port) for host in where.addresses),
            StartPairSetup(method, where.device_id),
            where.name,
            advice=advice,
        )

    def record(self, alias: str, pairing: Pairing) -> PairedAccessory:
        """What to store of a pairing with it."""
        hosts = tuple(host for host, _ in self.addresses)
        transport = Transport.BLE if self.device_id else Transport.IP
        port = self.addresses[0][1] if self.addresses else 0
        return PairedAccessory(alias, pairing, self.name, hosts, port, transport=transport)
