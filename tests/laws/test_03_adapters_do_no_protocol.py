"""Law 3: adapters never touch crypto, TLV, HTTP or JSON."""

from __future__ import annotations

import pytest
from tests.laws.source import ADAPTERS, SRC, files, imports, within

FORBIDDEN = (
    "cryptography",
    "h11",
    "hashlib",
    "hmac",
    "http",
    "json",
    "orjson",
    "hapcore.codec",
    "hapcore.crypto",
    "hapcore.pairing.setup",
    "hapcore.pairing.verify",
    "hapcore.pairing.items",
)
# The command line speaks JSON to machines: that is its own output, not HAP.
MACHINE_OUTPUT = {"json"}


@pytest.mark.parametrize(
    "path", [path for folder in ADAPTERS for path in files(folder)], ids=lambda path: str(path.relative_to(SRC))
)
def test_no_protocol_in_adapters(path):
    allowed = MACHINE_OUTPUT if "cli" in path.parts else set()
    for module, line in imports(path):
        assert module in allowed or not any(within(module, name) for name in FORBIDDEN), f"{path}:{line}: {module}"
