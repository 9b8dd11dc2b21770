"""Accessories with a display, with each adapter: `show_code` is called, and what it shows is the code that is good."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.air import AirAccessory, AirController, Sky
from tests.scenarios.homes import KINDS, LIMIT, Accessory

import hap_sync
from hapcore.catalogue.services import Lightbulb
from hapcore.errors import LocalProtocolError, PairingRefused
from hapcore.setup_code import SetupPayload


class Screen:
    """What is shown, for another thread to read."""

    def __init__(self) -> None:
        self._shown: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def show(self, code: str | None) -> None:
        self._shown.put(code)

    async def show_slowly(self, code: str | None) -> None:
        self._shown.put(code)

    def read(self) -> str | None:
        return self._shown.get(timeout=LIMIT)

    @property
    def empty(self) -> bool:
        return self._shown.empty()


@pytest.fixture(params=[*(f"{kind} plain" for kind in KINDS), "trio async", "asyncio async"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Accessory, Screen]]:
    kind, _, style = request.param.partition(" ")
    screen = Screen()
    show = screen.show_slowly if style == "async" else screen.show
    light = Lightbulb("Clock", on=False)
    with closing(Accessory(kind, light, state=tmp_path / "clock.json", show_code=show)) as accessory:
        yield accessory, screen


def test_a_code_for_each_attempt(place: tuple[Accessory, Screen]) -> None:
    accessory, screen = place
    server = accessory.server
    assert server.displays
    with pytest.raises(LocalProtocolError):
        _ = server.setup_code
    with hap_sync.open_controller(None, mdns=False) as home:
        with pytest.raises(PairingRefused):
            home.pair(accessory.address, "031-45-154", "clock")
        first = screen.read()
        assert first not in (None, "031-45-154")
        assert screen.read() is None
        # A person pairs: the code appears once the controller has begun.
        with home.start_pairing(accessory.address, "clock") as started:
            code = screen.read()
            assert code not in (None, first)
            assert server.nfc_message == SetupPayload.parse(server.setup_uri).ndef()
            assert server.setup_code == code
            client = started.finish(code)
        assert screen.read() is None
        assert server.paired
        # A tag says no more than that.
        assert server.nfc_message == SetupPayload(None, None, 5, paired=True).ndef()
        assert client.pairing.accessory_id == server.device_id
    assert screen.empty


def test_a_person_who_gives_up(place: tuple[Accessory, Screen]) -> None:
    accessory, screen = place
    with hap_sync.open_controller(None, mdns=False) as home:
        with home.start_pairing(accessory.address, "clock"):
            assert screen.read() is not None
        assert screen.read() is None
    assert not accessory.server.paired


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_display_is_logged(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    codes: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def show(code: str | None) -> None:
        codes.put(code)
        raise OSError("the screen is dark")

    with (
        caplog.at_level(logging.ERROR),
        closing(Accessory(kind, Lightbulb("Clock"), show_code=show)) as accessory,
        hap_sync.open_controller(None, mdns=False) as home,
        home.start_pairing(accessory.address, "clock") as started,
    ):
        code = codes.get(timeout=LIMIT)
        assert code is not None
        started.finish(code)
        assert accessory.server.paired
    assert "the screen is dark" in str(caplog.records[0].exc_info)


def test_over_the_air(request: pytest.FixtureRequest) -> None:
    """Over Bluetooth LE as over the network."""
    for kind in KINDS:
        screen = Screen()
        sky = Sky(kind)
        request.addfinalizer(sky.close)
        with closing(AirAccessory(sky, Lightbulb("Clock"), show_code=screen.show)) as accessory:
            with closing(AirController(sky, None)) as home:
                _pair(home, accessory, screen)
            assert accessory.server.paired


def _pair(home: Any, accessory: Any, screen: Screen) -> None:
    world: Any = home._world
    manager = world.run(home.home.start_pairing, accessory.address, "clock")
    enter: Callable[..., Any] = getattr(manager, "__aenter__", None) or manager.__enter__
    leave: Callable[..., Any] = getattr(manager, "__aexit__", None) or manager.__exit__
    started = world.run(enter)
    code = screen.read()
    assert code is not None
    world.run(started.finish, code)
    world.run(leave, None, None, None)
    assert screen.read() is None


@pytest.mark.parametrize("style", [*(f"{kind} plain" for kind in KINDS), "trio async", "asyncio async"])
def test_nothing_stays_on_the_screen_of_who_stops_serving(style: str) -> None:
    kind, _, way = style.partition(" ")
    screen = Screen()
    show = screen.show_slowly if way == "async" else screen.show
    with (
        hap_sync.open_controller(None, mdns=False) as home,
        closing(Accessory(kind, Lightbulb("Clock"), show_code=show)) as accessory,
        home.start_pairing(accessory.address, "clock"),
    ):
        assert screen.read() is not None
        accessory.close()
        assert screen.read() is None
