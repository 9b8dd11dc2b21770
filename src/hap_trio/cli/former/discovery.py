"""What `discover` and `discover_ble` print."""

from __future__ import annotations

from typing import Final

from hap_trio.cli.terminal import clean
from hapcore.catalogue.categories import Category
from hapcore.discovery import SERVICE_TYPE, DiscoveredAccessory, FeatureFlags, StatusFlags, Transport

__all__ = ["discovered"]

#: Where its name is another than ours.
_CATEGORIES: Final = {
    Category.IP_CAMERA: "IP Camera",
    Category.VIDEO_DOORBELL: "Video Door Bell",
    Category.GARAGE_DOOR_OPENER: "Garage",
    Category.TELEVISION: "TV",
    Category.SHOWER_HEAD: "Shower System",
    Category.TARGET_CONTROLLER: "Remote",
    Category.ROUTER: "WiFi Router",
}


def _category(number: int) -> str:
    try:
        category = Category(number)
    except ValueError:
        return "Unknown"
    return _CATEGORIES.get(category) or category.name.replace("_", " ").title()


def _features(flags: FeatureFlags) -> str:
    kinds = [
        text
        for flag, text in (
            (FeatureFlags.COPROCESSOR, "Apple authentication coprocessor"),
            (FeatureFlags.SOFTWARE_TOKEN, "Software authentication"),
        )
        if flag in flags
    ]
    return f"Supports HAP Pairing with {' and '.join(kinds)}" if kinds else "No support for HAP Pairing"


def _status_flags(flags: StatusFlags) -> str:
    paired = StatusFlags.NOT_PAIRED not in flags
    told = ["Accessory has been paired." if paired else "Accessory has not been paired with any controllers."]
    if StatusFlags.NOT_CONFIGURED in flags:
        told.append("Accessory has not been configured to join a Wi-Fi network.")
    if StatusFlags.PROBLEM in flags:
        told.append("A problem has been detected on the accessory.")
    return " ".join(told)


def _heard_flags(flags: StatusFlags) -> str:
    if StatusFlags.NOT_PAIRED in flags:
        return "The accessory has not been paired with any controllers."
    return "The accessory has been paired with a controllers."


def discovered(found: DiscoveredAccessory) -> str:
    """One block of `discover` or `discover_ble`, with the empty line after it."""
    status = int(found.status_flags)
    category = f"Category Identifier (ci): {_category(found.category)} (Id: {found.category})"
    if found.transport is Transport.BLE:
        lines = [
            f"Name: {clean(found.name)}",
            f"MAC: {found.addresses[0].lower() if found.addresses else ''}",
            f"Configuration number (cn): {found.config_number}",
            f"Device ID (id): {clean(found.device_id)}",
            "Compatible Version (cv): 2",
            f"Global State Number (s#): {found.state_number}",
            f"Status Flags (sf): {_heard_flags(found.status_flags)} (Flag: {status})",
            category,
        ]
        return "\n".join(lines) + "\n"
    host = found.addresses[0] if found.addresses else ""
    lines = [
        f"Name: {clean(found.name)}.{SERVICE_TYPE}",
        f"Url: http_impl://{host}:{found.port}",
        f"Configuration number (c#): {found.config_number}",
        f"Feature Flags (ff): {_features(found.feature_flags)} (Flag: {int(found.feature_flags)})",
        f"Device ID (id): {clean(found.device_id)}",
        f"Model Name (md): {clean(found.model)}",
        f"Protocol Version (pv): {clean(found.protocol_version)}",
        f"State Number (s#): {found.state_number}",
        f"Status Flags (sf): {_status_flags(found.status_flags)} (Flag: {status})",
        category,
    ]
    return "\n".join(lines) + "\n"
