"""Accessories found by their advertisements, shown in the form of those found on the network (HAP-BLE A.1)."""

from __future__ import annotations

from base64 import b64encode
from collections import OrderedDict
from typing import Final

from hapcore.ble.advert import RegularAdvert, parse_manufacturer_data
from hapcore.ble.controller.inputs import Advertisement
from hapcore.discovery import DiscoveredAccessory, FeatureFlags, StatusFlags, Transport, device_key

__all__ = ["Gallery", "discovered"]

#: Accessories that are remembered at a time, those heard of longest ago dropped: more than one radio reaches.
MAX_FOUND: Final = 4096
#: Longest name that is kept: an advertisement and a scan response have 31 bytes each.
_MAX_NAME: Final = 64
_STATUS: Final = 0x07


def discovered(advertisement: Advertisement, advert: RegularAdvert, name: str = "") -> DiscoveredAccessory:
    """What a regular advertisement says. `name` is used where it is longer than the one in the advertisement."""
    said = "".join([one for one in advertisement.name[:_MAX_NAME] if one.isprintable()])
    return DiscoveredAccessory(
        name=name if len(name) > len(said) else said,
        device_id=advert.device_id,
        addresses=(advertisement.address,),
        port=0,
        model="",
        category=advert.category,
        config_number=advert.config_number,
        state_number=advert.gsn,
        feature_flags=FeatureFlags(0),
        status_flags=StatusFlags(advert.status & _STATUS),
        setup_hash=b64encode(advert.setup_hash).decode() or None,
        protocol_version="",
        transport=Transport.BLE,
        rssi=advertisement.rssi,
    )


class Gallery:
    """Everybody who has been heard, by device id.

    Nearly everything is a repetition, or no accessory at all: both cost little and lead to nothing.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[Advertisement, float, DiscoveredAccessory]] = OrderedDict()

    def hear(self, advertisement: Advertisement, now: float) -> DiscoveredAccessory | None:
        """Take an advertisement: the accessory if it is new or says something new, else None."""
        advert = parse_manufacturer_data(advertisement.manufacturer_data)
        if not isinstance(advert, RegularAdvert):
            return None
        device_id = advert.device_id
        known = self._found.get(device_id)
        accessory = discovered(advertisement, advert, "" if known is None else known[2].name)
        self._found[device_id] = (advertisement, now, accessory)
        self._found.move_to_end(device_id)
        if len(self._found) > MAX_FOUND:
            self._found.popitem(last=False)
        return None if known is not None and known[2] == accessory else accessory

    def find(self, device_id: str) -> DiscoveredAccessory | None:
        """Who has that device id, if it was heard."""
        found = self._found.get(device_key(device_id))
        return None if found is None else found[2]

    def latest(self, device_id: str) -> tuple[Advertisement, float] | None:
        """What it advertised last, and when that was, if it was heard."""
        found = self._found.get(device_key(device_id))
        return None if found is None else found[:2]

    def forget(self, before: float) -> tuple[DiscoveredAccessory, ...]:
        """Drop those not heard since `before`, in the seconds of `hear`, and tell who they were."""
        gone = [device_id for device_id, (_, heard, _) in self._found.items() if heard < before]
        return tuple(self._found.pop(device_id)[2] for device_id in gone)

    @property
    def found(self) -> tuple[DiscoveredAccessory, ...]:
        """All, the one heard of last at the end."""
        return tuple(accessory for _, _, accessory in self._found.values())
