"""bleak's scanner over a virtual air."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.exc import BleakError
from bumble.core import UUID, AdvertisingData

from .adapter import Adapter, Heard

__all__ = ["AirScanner"]

_TYPE = AdvertisingData.Type
_UUIDS = (
    _TYPE.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _TYPE.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _TYPE.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    _TYPE.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


class AirScanner(BaseBleakScanner):
    """A bleak scanner backend; `Air.bleak()` makes the class for one adapter."""

    adapter: ClassVar[Adapter]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"],
        **kwargs: Any,  # noqa: ARG002 - for other platforms
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"
        self._listening = False

    async def start(self) -> None:
        if self._listening:
            raise BleakError("the scanner is running already")
        self.seen_devices = {}
        self._listening = True
        await self.adapter.listen(self._hear, active=self._active)

    async def stop(self) -> None:
        self._listening = False
        await self.adapter.unlisten(self._hear)

    def _hear(self, heard: Heard) -> None:
        advertisement = _told(heard)
        if not self.is_allowed_uuid(advertisement.service_uuids):
            return
        address = heard.address.to_string(with_type_qualifier=False)
        details: dict[str, object] = {"address": heard.address, "props": {}}
        device = self.create_or_update_device(address, address, advertisement.local_name, details, advertisement)
        self.call_detection_callbacks(device, advertisement)


def _told(heard: Heard) -> AdvertisementData:
    name: str | None = None
    uuids: list[str] = []
    manufacturer: dict[int, bytes] = {}
    power: int | None = None
    for kind, data in heard.structures:
        if kind in (_TYPE.COMPLETE_LOCAL_NAME, _TYPE.SHORTENED_LOCAL_NAME):
            name = data.decode("utf-8", "replace")
        elif kind == _TYPE.MANUFACTURER_SPECIFIC_DATA and len(data) >= 2:
            manufacturer[int.from_bytes(data[:2], "little")] = data[2:]
        elif kind == _TYPE.TX_POWER_LEVEL and len(data) == 1:
            power = int.from_bytes(data, "little", signed=True)
        elif kind in _UUIDS:
            size = 2 if kind in _UUIDS[:2] else 16
            whole = len(data) - len(data) % size
            uuids += [UUID.from_bytes(data[at : at + size]).to_hex_str("-").lower() for at in range(0, whole, size)]
    full = [f"0000{one}-0000-1000-8000-00805f9b34fb" if len(one) == 4 else one for one in uuids]
    return AdvertisementData(name, manufacturer, {}, full, power, heard.rssi, ())
