"""The known answers of HAP chapter 13 and of the RFCs, as the tests of this folder read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HAP: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "hap.json").read_text())


class Table:
    """Hexadecimal values by name, as bytes."""

    def __init__(self, name: str) -> None:
        self._values: dict[str, str] = HAP[name]

    def __getitem__(self, name: str) -> bytes:
        return bytes.fromhex(self._values[name])

    def number(self, name: str) -> int:
        return int(self._values[name], 16)
