"""HAP over Bluetooth LE: what both roles share stands here, the engines in `accessory` and `controller`."""
