"""Bluetooth LE without async: what is asyncio by nature runs in a thread, engines and handlers run here."""

from .server import PeripheralServer, Settings, open_peripheral, serve

__all__ = ["PeripheralServer", "Settings", "open_peripheral", "serve"]
