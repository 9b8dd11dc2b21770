"""Laws 4 and 5: adapters lean on the core, never the other way; inside the core each layer knows those below only."""

from __future__ import annotations

import pytest
from tests.laws.source import ADAPTERS, CORE, SRC, files, imports, module_name, within

#: From the ground up. A package may import those before it, and itself.
LAYERS = [
    ("hapcore.errors", "hapcore.entropy", "hapcore.engine", "hapcore.ids", "hapcore.lazy"),
    ("hapcore.codec",),
    ("hapcore.crypto",),
    ("hapcore.setup_code", "hapcore.model", "hapcore.catalogue", "hapcore.pairing"),
    ("hapcore.discovery", "hapcore.state", "hapcore.feed", "hapcore.house"),
    ("hapcore.accessory", "hapcore.controller"),
    ("hapcore.ip", "hapcore.ble"),
    ("hapcore.home", "hapcore.proxy", "hapcore.decode", "hapcore.migration"),
    ("hapcore.transcript",),
    ("hapcore.replay",),
    ("hapcore.testing",),
]
#: What belongs to one world by nature is written there, once: mDNS and Bluetooth LE in asyncio, carried by the bridge;
#: the file store, which blocks and is run in a thread.
SHARED = {
    (f"{adapter}.{here}", f"hap_asyncio.{there}")
    for adapter in ("hap_trio", "hap_sync")
    for here, there in {
        ("mdns", "mdns"),
        ("ble.central", "ble"),
        ("ble.server", "ble"),
        ("testing.air", "ble"),
        ("testing.air", "testing.radio"),
    }
}
EVERYBODYS = ("hap_sync.store", "hap_sync.recording", "hap_sync.keylog", "hap_sync.listening")
STRANGERS = [
    ("hapcore.ip", "hapcore.ble"),
    ("hapcore.accessory", "hapcore.controller"),
    ("hapcore.ip.accessory", "hapcore.ip.controller"),
    ("hapcore.ble.accessory", "hapcore.ble.controller"),
]


def _level(module: str) -> int | None:
    for level, packages in enumerate(LAYERS):
        if any(within(module, package) for package in packages):
            return level
    return None


@pytest.mark.parametrize("path", files(CORE), ids=lambda path: str(path.relative_to(CORE)))
def test_core_layers(path):
    here = module_name(path)
    level = _level(here)
    assert level is not None or here == "hapcore", f"{here} belongs to no layer"
    for module, line in imports(path):
        assert not module.startswith("hap_"), f"{path}:{line}: {module}"
        if level is not None and within(module, "hapcore"):
            other = _level(module)
            assert other is None or other <= level, f"{path}:{line}: {here} imports {module}, a layer above"
        for one, two in [*STRANGERS, *[(b, a) for a, b in STRANGERS]]:
            assert not (within(here, one) and within(module, two)), f"{path}:{line}: {here} knows {module}"


@pytest.mark.parametrize(
    "path", [path for folder in ADAPTERS for path in files(folder)], ids=lambda path: str(path.relative_to(SRC))
)
def test_adapters_do_not_know_each_other(path):
    here = module_name(path)
    for module, line in imports(path):
        for other in ADAPTERS:
            if within(module, other.name) and not within(here, other.name):
                allowed = any(within(module, one) for one in EVERYBODYS) or any(
                    here == a and within(module, b) for a, b in SHARED
                )
                assert allowed, f"{path}:{line}: {here} imports {module}"
