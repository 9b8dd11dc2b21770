"""An accessory does not load what only controllers need, and every name is there all the same."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

ADAPTERS = ["hap_trio", "hap_asyncio", "hap_sync"]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_serving_needs_no_controller(adapter: str) -> None:
    program = f"import sys, {adapter}; {adapter}.serve; print(*[name for name in sys.modules if name[:3] == 'hap'])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "hapcore.ip.accessory.server" in loaded
    assert not [name for name in loaded if name.startswith(("hapcore.home", "hapcore.ip.controller", "hapcore.ble"))]


def test_what_a_product_is_made_of_costs_only_what_is_used() -> None:
    program = "import sys\nfrom hapcore.accessory import Caller\nprint(*[n for n in sys.modules if n[:7] == 'hapcore'])"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(loaded) == [
        "hapcore",
        "hapcore.accessory",
        "hapcore.engine",
        "hapcore.errors",
        "hapcore.ids",
        "hapcore.lazy",
    ]


@pytest.mark.parametrize("adapter", [*ADAPTERS, "hapcore.accessory", "hapcore.controller"])
def test_every_name_is_there(adapter: str) -> None:
    package = importlib.import_module(adapter)
    for name in package.__all__:
        assert getattr(package, name) is getattr(package, name)
    with pytest.raises(AttributeError, match=f"module '{adapter}' has no attribute 'open_contoller'"):
        _ = package.open_contoller
    with pytest.raises(ImportError):
        exec(f"from {adapter} import open_contoller")  # noqa: S102 - as a program would
