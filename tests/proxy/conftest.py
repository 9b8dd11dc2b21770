"""Every `async def` test below this folder runs under trio."""

from __future__ import annotations

from pytest_trio.enable_trio_mode import *  # noqa: F403 - this is how pytest-trio is switched on for a folder
