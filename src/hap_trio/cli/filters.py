"""The user's own functions between a controller and an accessory, from a module or a file."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import cast

from hap_trio.cli.common import Problem
from hap_trio.cli.kinds import blaming
from hapcore.proxy import Filters
from hapcore.proxy.filters import ToAccessory, ToController

__all__ = ["load_filters"]


def _load(path: str) -> ModuleType:
    if not path.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))
        with blaming(f"cannot import {path!r}"):
            return import_module(path)
    found = spec_from_file_location(Path(path).stem, path)
    if found is None or found.loader is None or not Path(path).is_file():
        raise Problem(f"{path}: there is no such file")
    module = module_from_spec(found)
    with blaming(f"cannot run {path!r}"):
        found.loader.exec_module(module)
    return module


def load_filters(path: str | None) -> Filters:
    """The functions `to_accessory` and `to_controller` of a module or of a file that ends in .py."""
    if path is None:
        return Filters()
    module = _load(path)
    to_accessory, to_controller = (getattr(module, name, None) for name in ("to_accessory", "to_controller"))
    for one in (to_accessory, to_controller):
        if one is not None and not callable(one):
            raise Problem(f"{path}: to_accessory and to_controller are functions")
    if to_accessory is None and to_controller is None:
        raise Problem(f"{path} has neither to_accessory nor to_controller")
    return Filters(cast("ToAccessory | None", to_accessory), cast("ToController | None", to_controller))
