"""Bluetooth LE on asyncio: accessories over any GATT server, controllers over bleak."""
