"""Tests of examples may be coroutines on trio."""

from __future__ import annotations

from pytest_trio.enable_trio_mode import *  # noqa: F403 - this is how pytest-trio is switched on for a folder
