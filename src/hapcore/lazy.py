"""Names of a package whose modules are loaded when the first of them is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

__all__ = ["lazily"]


def lazily(package: str, *modules: str) -> Callable[[str], object]:
    """A `__getattr__` for `package`: what its `__all__` names and it has not loaded yet is in one of `modules`.

    Modules are named as seen from the package: `client` is in it, `.ids` beside it.
    """

    def find(name: str) -> object:
        whole = import_module(package)
        if name in whole.__all__:
            for module in modules:
                found = import_module(f".{module}", package)
                if name in found.__all__:
                    value = getattr(found, name)
                    setattr(whole, name, value)
                    return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=whole)

    return find
