"""Another function in the place of one, in all modules of a package that use it, for the length of a block."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

__all__ = ["substituted"]


@contextmanager
def substituted(
    modules: Mapping[str, object], package: str, name: str, old: object, new: object
) -> Generator[None, None, None]:
    """Have those of `modules` (of `sys.modules`, that is) in `package` that know `old` by this name know `new` instead.

    Raises `LookupError` where none does: a test that believes itself in memory must not reach for the real network.
    """

    def knowing(value: object) -> list[object]:
        return [
            module
            for known, module in tuple(modules.items())
            if (known == package or known.startswith(f"{package}.")) and vars(module).get(name) is value
        ]

    found = knowing(old)
    if not found:
        raise LookupError(f"no module of {package} uses this {name}")
    for module in found:
        setattr(module, name, new)
    try:
        yield
    finally:
        for module in knowing(new):  # some may have been loaded meanwhile
            setattr(module, name, old)
