"""Which of many peers an advertisement is for: looked up by six bytes, before anything else is done with it."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

__all__ = ["Radar"]

P = TypeVar("P")

_REGULAR: Final = 0x06
_ENCRYPTED: Final = 0x11
#: Where the device id stands, and the advertising identifier (HAP-BLE A.1.2, A.1.4).
_DEVICE_ID: Final = slice(3, 9)
_IDENTIFIER: Final = slice(2, 8)


class Radar(Generic[P]):
    """Peers by device id and by advertising identifier.

    Nearly all of what a radio hears is for nobody here: other products of the same company, accessories of neighbours,
    repetitions. `find` parses nothing; the engine does that with what concerns it.
    """

    def __init__(self) -> None:
        self._by_id: dict[bytes, P] = {}
        self._by_identifier: dict[bytes, P] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, device_id: str, peer: P) -> None:
        """From now on the advertisements of this accessory ("AA:BB:CC:DD:EE:FF") are for `peer`."""
        number = _number(device_id)
        self._by_id[number] = peer
        self._by_identifier[number] = peer

    def rename(self, device_id: str, identifier: bytes) -> None:
        """Its encrypted advertisements carry another identifier (6 bytes) than the device id."""
        peer = self._by_id[_number(device_id)]
        self._drop_identifiers(peer)
        self._by_identifier[identifier] = peer

    def remove(self, device_id: str) -> None:
        """Its advertisements are for nobody any more. An unknown one is no error."""
        peer = self._by_id.pop(_number(device_id), None)
        if peer is not None:
            self._drop_identifiers(peer)

    def find(self, manufacturer_data: bytes) -> P | None:
        """For whom the data behind Apple's company id are; None for nobody here."""
        if len(manufacturer_data) < _DEVICE_ID.stop:
            return None
        kind = manufacturer_data[0]
        if kind == _REGULAR:
            return self._by_id.get(bytes(manufacturer_data[_DEVICE_ID]))
        if kind == _ENCRYPTED:
            return self._by_identifier.get(bytes(manufacturer_data[_IDENTIFIER]))
        return None

    def _drop_identifiers(self, peer: P) -> None:
        for identifier in [one for one, owner in self._by_identifier.items() if owner is peer]:
            del self._by_identifier[identifier]


def _number(device_id: str) -> bytes:
    return bytes.fromhex(device_id.replace(":", ""))
