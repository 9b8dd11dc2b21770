"""What crosses between an engine and a GATT server that live in two threads: never to the wrong link."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from hap_asyncio.ble.peripheral import GattRefusal
from hap_asyncio.ble.port import GattPort
from hapcore.ble.accessory.effects import DropLink, GattRefuse, GattReply
from hapcore.engine import CloseConnection, ConnectionId


class Engine:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: self.told.append(name)


class Radio:
    def __init__(self) -> None:
        self.dropped: list[int] = []

    async def drop(self, link: int) -> None:
        self.dropped.append(link)


class Far:
    """A port whose engine is far away: what goes either way waits until it is let through."""

    def __init__(self) -> None:
        self.engine: Any = Engine()
        self.radio: Any = Radio()
        self.there: deque[Callable[[Any, float], object]] = deque()
        self.back: deque[Callable[[], object]] = deque()
        self.port = GattPort(self.there.append, self.back.append)
        self.port.radio = self.radio

    def arrive(self) -> None:
        """The engine hears of everything."""
        while self.there:
            self.there.popleft()(self.engine, 0.0)

    def return_(self) -> None:
        """What it said gets back."""
        while self.back:
            self.back.popleft()()


def test_an_answer_reaches_who_asked() -> None:
    async def main() -> None:
        far = Far()
        far.port.link_opened(1, 100, 100)
        asked = asyncio.ensure_future(far.port.answer_read(1, 7))
        await asyncio.sleep(0)
        far.arrive()
        assert far.engine.told == ["link_opened", "receive_read"]
        assert far.port.carry_out(GattReply(b"value"))
        far.return_()
        assert await asked == b"value"
        refused = asyncio.ensure_future(far.port.answer_write(1, 7, b"x"))
        await asyncio.sleep(0)
        far.arrive()
        far.port.carry_out(GattRefuse(3))
        far.return_()
        with pytest.raises(GattRefusal) as caught:
            await refused
        assert caught.value.code == 3
        assert not far.port.carry_out(CloseConnection(ConnectionId(0)))

    asyncio.run(main())


def test_a_late_answer_is_not_taken_for_that_of_the_next_link() -> None:
    async def main() -> None:
        far = Far()
        far.port.link_opened(1, 100, 100)
        first = asyncio.ensure_future(far.port.answer_read(1, 7))
        await asyncio.sleep(0)
        far.arrive()
        far.port.carry_out(GattReply(b"of the first link"))
        far.port.carry_out(DropLink())
        far.port.link_closed(1)
        first.cancel()
        far.port.link_opened(2, 100, 100)
        second = asyncio.ensure_future(far.port.answer_read(2, 7))
        await asyncio.sleep(0)
        far.return_()
        await asyncio.sleep(0)
        assert not second.done()
        assert far.radio.dropped == []
        far.arrive()
        far.port.carry_out(GattReply(b"of the second"))
        far.return_()
        assert await second == b"of the second"

    asyncio.run(main())


def test_accesses_and_news_of_links_that_are_over_go_nowhere() -> None:
    async def main() -> None:
        far = Far()
        far.port.link_opened(1, 100, 100)
        far.port.mtu_changed(9, 20, 20)
        far.port.link_closed(9)
        far.arrive()
        assert far.engine.told == ["link_opened"]
        with pytest.raises(GattRefusal):
            await far.port.answer_read(9, 7)

    asyncio.run(main())
