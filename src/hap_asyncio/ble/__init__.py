"""Bluetooth LE on asyncio: accessories over any GATT server, controllers over bleak."""

from .server import PeripheralServer, Settings, open_peripheral, serve

__all__ = ["PeripheralServer", "Settings", "open_peripheral", "serve"]
