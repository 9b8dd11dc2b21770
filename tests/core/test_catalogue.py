"""The catalogue: complete, as generated, typed, and loaded no sooner than asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from enum import IntFlag
from pathlib import Path

import pytest

from hapcore import catalogue
from hapcore.catalogue import Category, characteristics, service_types, services, values
from hapcore.catalogue.define import ValueEnum
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.database import Database
from hapcore.model.information import (
    FIRMWARE_REVISION,
    HARDWARE_REVISION,
    IDENTIFY,
    INFORMATION,
    MANUFACTURER,
    MODEL,
    NAME,
    PROTOCOL,
    SERIAL_NUMBER,
    VERSION,
)
from hapcore.model.service import Service, ServiceType
from hapcore.model.uuid import normalise_uuid

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "src" / "hapcore" / "catalogue" / "data"


def data(name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return found


def types() -> list[CharacteristicType[object]]:
    return [getattr(characteristics, name) for name in dir(characteristics)]


def test_the_generated_modules_are_what_the_data_gives() -> None:
    command = [sys.executable, str(ROOT / "tools" / "generate_catalogue.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_how_much_there_is() -> None:
    assert len(data("services")) == len(dir(services)) == 76
    assert len(data("characteristics")) == 259
    vendor = [entry for entry in data("vendor") if "format" in entry]
    assert len(dir(characteristics)) == 259 + len(vendor) == len({one.uuid for one in types()})
    assert len(Category) == 37


def test_each_entry_is_there_as_the_data_says() -> None:
    for entry in data("characteristics") + data("vendor"):
        if "format" not in entry:
            continue
        found = catalogue.characteristic_type(str(entry["uuid"]))
        assert found is not None, entry["name"]
        meta = found.metadata
        assert found.name == entry["name"]
        assert meta.format.value == entry["format"]
        assert {one.value for one in meta.perms} == set(entry.get("perms", ()))  # type: ignore[call-overload]
        assert (meta.unit.value if meta.unit else None) == entry.get("unit")
        for name in ("min", "max", "step"):
            if name in entry:
                assert getattr(meta, name) == entry[name]
        meta.check()


def test_each_type_can_be_made_and_holds_its_first_value() -> None:
    for kind in types():
        made = Characteristic(kind)
        assert isinstance(made.value, kind.python), kind.name
        assert made.coerce(made.value) == made.value


def test_named_values() -> None:
    for entry in data("characteristics"):
        named = entry.get("valid_values") if entry["format"] != "bool" else None
        for members, base in ((named, ValueEnum), (entry.get("valid_bits"), IntFlag)):
            if members:
                found = getattr(values, str(entry["name"]))
                assert issubclass(found, base)
                assert {name: int(one) for name, one in found.__members__.items()} == members
                kind = catalogue.characteristic_type(str(entry["uuid"]))
                assert kind is not None
                assert kind.python is found
                for one in found:
                    Characteristic(kind, one)


def test_each_service_can_be_made_with_what_it_needs() -> None:
    for entry in data("services"):
        kind = getattr(services, str(entry["name"]))
        made = kind("Some name")
        assert isinstance(made, Service)
        known = {one.type.uuid for one in made.characteristics}
        assert set(made.type.required) <= known
        assert known <= set(made.type.required) | set(made.type.optional)
        assert made.type == catalogue.service_type(str(entry["uuid"]))
        assert len(made.type.required) + len(made.type.optional) == len(entry["required"]) + len(entry["optional"])  # type: ignore[arg-type]
        if entry["name"] != "AccessoryInformation":
            Database.of(made)


def test_each_optional_characteristic_can_be_given() -> None:
    for name in dir(services):
        kind = getattr(services, name)
        made = kind("Some name")
        for uuid in made.type.optional:
            found = catalogue.characteristic_type(uuid)
            assert found is not None
            if found.name == "Name":
                continue
            attribute = next(a for a, d in vars(kind).items() if getattr(d, "_type", None) == found)
            with_it = kind("Some name", **{attribute: Characteristic(found)})
            assert getattr(with_it, attribute).type == found


def test_the_few_types_the_model_needs_are_the_same() -> None:
    for ours in (IDENTIFY, MANUFACTURER, MODEL, NAME, SERIAL_NUMBER, VERSION, FIRMWARE_REVISION, HARDWARE_REVISION):
        assert ours == catalogue.characteristic_type(ours.uuid)
    for service in (INFORMATION, PROTOCOL):
        known = catalogue.service_type(service.uuid)
        assert known is not None
        assert (service.name, set(service.required)) == (known.name, set(known.required))


def test_lookups() -> None:
    assert catalogue.characteristic_type("25") is characteristics.ON
    assert catalogue.characteristic_type("00000025-0000-1000-8000-0026bb765291") is characteristics.ON
    assert catalogue.characteristic_type("no uuid") is None
    assert catalogue.characteristic_type("FFFF") is None
    assert catalogue.service_type("43") is service_types.LIGHTBULB
    assert catalogue.service_type("25") is None
    assert catalogue.characteristic_name("25") == "On"
    assert catalogue.characteristic_name(normalise_uuid("1e")) == "Lock Target State"
    assert catalogue.service_name("43") == "Lightbulb"
    assert catalogue.service_name("??") is None
    eve = next(str(entry["uuid"]) for entry in data("vendor") if entry["name"] == "EveDegreeElevation")
    assert catalogue.characteristic_name(eve) == "Eve Degree Elevation"
    assert catalogue.characteristic_type(eve) is None


def test_categories_of_services() -> None:
    for entry in data("services"):
        kind = catalogue.service_type(str(entry["uuid"]))
        assert isinstance(kind, ServiceType)
        assert kind.category == entry.get("category")
        assert kind.category is None or Category(kind.category)


def test_unknown_names() -> None:
    for module in (characteristics, services, values):
        with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
            module.Nonsense  # type: ignore[attr-defined] # noqa: B018 - the access is what fails


def test_nothing_is_loaded_before_it_is_needed() -> None:
    script = (
        "import sys, hapcore.model.database, hapcore.catalogue\n"
        "heavy = [m for m in sys.modules if m.startswith('hapcore.catalogue.') and m.count('.') > 2]\n"
        "assert not heavy, heavy\n"
        "from hapcore.catalogue.services import Lightbulb\n"
        "assert 'hapcore.catalogue.services.sensors' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT / "src", check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_file_is_long() -> None:
    for path in (ROOT / "src" / "hapcore" / "catalogue").rglob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 700, path
