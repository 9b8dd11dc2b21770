"""Recordings over Bluetooth LE: read, and played to our accessory."""

from __future__ import annotations

from hapcore.replay.ble.accessory import play_accessory
from hapcore.replay.ble.capture import FORMAT, read
from hapcore.replay.ble.script import Script

__all__ = ["FORMAT", "Script", "play_accessory", "read"]
