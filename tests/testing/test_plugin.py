"""The pytest plugin, installed as a user has it, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def run(tmp_path):
    """Run pytest on a file, in a folder of its own, with the plugin found by its entry point alone."""
    installed = tmp_path / "installed" / "example_of_an_installation-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: example-of-an-installation\nVersion: 1\n")
    entries = PROJECT["project"]["entry-points"]["pytest11"]
    lines = [f"{name} = {module}" for name, module in entries.items()]
    (installed / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]))
    folder = tmp_path / "product"
    folder.mkdir()

    def run(text: str, *options: str) -> subprocess.CompletedProcess[str]:
        (folder / "test_product.py").write_text(text, encoding="utf-8")
        path = [str(installed.parent), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:trio", *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path).rstrip(os.pathsep)},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run


def test_the_lamp_that_is_there_without_one_of_yours(run):
    done = run(
        """
def test(hap_accessory, hap_controller, hap_pair):
    light = hap_accessory
    assert hap_controller is hap_pair.controller
    with hap_controller.subscribe([light.on.id]) as changes:
        light.on.value = True
        assert [one.value for one in changes] == [True]
        light.on.value = False
        assert list(changes) == []
        hap_pair.pass_time(1.0)
        assert [one.value for one in changes] == [False]
"""
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


BREAKING = """
import pytest
from hapcore.catalogue.services import Lightbulb

@pytest.fixture
def hap_accessory():
    light = Lightbulb("Lamp", on=False)

    @light.on.setter
    def switch(value, caller):
        raise LookupError("no such lamp")

    return light

def test(hap_pair, hap_accessory):
    hap_pair.controller.write({hap_accessory.on.id: True})
"""


def test_a_handler_that_fails_fails_the_test(run):
    done = run(BREAKING)
    assert done.returncode == 1, done.stdout
    assert "no such lamp" in done.stdout
    assert "raised by the handler of characteristic 1." in done.stdout
    done = run(f"{BREAKING}\n    assert isinstance(hap_pair.errors.pop(), LookupError)\n")
    assert done.returncode == 0, done.stdout


def test_a_pair_over_bluetooth(run):
    done = run(
        """
def test(hap_accessory, hap_air_pair):
    light, lamp = hap_accessory, hap_air_pair.controller
    lamp.write({light.on.id: True})
    assert light.on.value is True
    with lamp.subscribe([light.brightness.id]) as changes:
        light.brightness.value = 7
        assert changes.wait(5).value == 7
    hap_air_pair.restart()
    assert hap_air_pair.accessory.paired
    assert lamp.read([light.on.id])[light.on.id].value is True
"""
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_handler_that_fails_fails_the_test_over_bluetooth_too(run):
    text = BREAKING.replace("hap_pair", "hap_air_pair")
    done = run(text)
    assert done.returncode == 1, done.stdout
    assert "no such lamp" in done.stdout
    done = run(f"{text}\n    assert isinstance(hap_air_pair.errors.pop(), LookupError)\n")
    assert done.returncode == 0, done.stdout


def test_pytest_loads_nothing_else(run):
    done = run(
        """
import sys

def test():
    assert "hap_pytest" in sys.modules
    ours = {name for name in sys.modules if name.split(".")[0].startswith("hap") and name != "hap_pytest"}
    assert not ours
    assert not {"cryptography", "zeroconf", "trio"} & set(sys.modules)
""",
        "-p",
        "no:anyio",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:cov",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_fixtures_are_listed(run):
    done = run("", "--fixtures", "-v")
    for name in ("hap_accessory", "hap_air_pair", "hap_controller", "hap_pair"):
        assert f"\n{name} -- " in done.stdout
