"""Bytes that must not be seen: nothing prints them, compares them in variable time or puts them into a dictionary."""

from __future__ import annotations

import hmac
from typing import NoReturn

__all__ = ["Secret"]


class Secret:
    """Key material of any length. `reveal()` is the only way to the bytes; the repr tells the length alone."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = bytes(data)

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._data

    def __len__(self) -> int:
        return len(self._data)

    def __eq__(self, other: object) -> bool:
        """Constant-time for equal lengths."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._data, other._data)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Secret(<{len(self._data)} bytes>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: store reveal() where it belongs")
