"""What type checkers know of the accessories of others. Never run; read by mypy and pyright."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

from hapcore.catalogue.characteristics import BRIGHTNESS, EVE_ENERGY_WATT
from hapcore.catalogue.remote import Accessory, Lightbulb, Outlet, Television
from hapcore.catalogue.values import Active
from hapcore.controller.device import Device
from hapcore.ids import CharacteristicId, Value
from hapcore.model.characteristic import CharacteristicType
from hapcore.model.handle import Handle
from hapcore.model.view import ServiceView


def device(device: Device, other: Lightbulb) -> None:
    # --- services ---
    assert_type(device.lightbulb, Lightbulb)
    assert_type(device.service(Outlet), Outlet)
    assert_type(device.find(Outlet), Outlet | None)
    assert_type(device.all(Outlet), tuple[Outlet, ...])
    assert_type(device.services, tuple[ServiceView, ...])
    assert_type(device.lightbulb.linked, tuple[ServiceView, ...])
    assert_type(device.lightbulb.label, str)

    # --- behind a bridge ---
    assert_type(device.accessories, Mapping[int, Accessory])
    assert_type(device.accessories[2].outlet, Outlet)
    assert_type(device.named("Desk lamp").lightbulb, Lightbulb)

    # --- characteristics ---
    light = device.lightbulb
    assert_type(light.on, Handle[bool])
    assert_type(light.on.value, bool | None)
    assert_type(light.on.id, CharacteristicId)
    assert_type(light.brightness, Handle[int] | None)
    assert_type(light.hue, Handle[float] | None)
    assert_type(device.television.active, Handle[Active])
    assert_type(device.accessory_information.manufacturer, Handle[str])
    assert_type(light[BRIGHTNESS], Handle[int])
    assert_type(light.get(BRIGHTNESS), Handle[int] | None)
    assert_type(device.outlet[EVE_ENERGY_WATT], Handle[float])
    assert_type(light.characteristics, tuple[Handle[Value], ...])
    assert_type(device[1, 9], Handle[Value])
    assert_type(Lightbulb.on, CharacteristicType[bool])
    assert_type(Lightbulb.brightness, CharacteristicType[int])
    assert_type(light.on.typed(1), bool | None)
    assert_type(light.on.text(True), str)

    print(light.brigthness)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    print(device.lamp)  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
    device.lightbulb = other  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    light.on = light.on  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    print(light.brightness.value)  # type: ignore[union-attr] # pyright: ignore[reportOptionalMemberAccess]
    light["25"]  # type: ignore[index] # pyright: ignore[reportArgumentType]
    device.service(Television.active)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    device["Desk lamp"]  # type: ignore[index] # pyright: ignore[reportArgumentType]
