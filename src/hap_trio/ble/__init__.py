"""Bluetooth LE on trio: what is asyncio by nature runs across the bridge, engines and handlers run here."""

from .server import PeripheralServer, Settings, open_peripheral, serve

__all__ = ["PeripheralServer", "Settings", "open_peripheral", "serve"]
