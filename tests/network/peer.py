"""What runs on the hosts: an accessory, or somebody who looks for accessories, of each adapter.

    python tests/network/peer.py (serve | browse) (trio | asyncio | sync) [JSON]

JSON holds settings: those of `serve()`, or "interfaces" to browse on. Each line that is printed is a JSON object with
the "time" of the monotonic clock, which all processes of a machine share. SIGTERM ends in good order.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from typing import Any

import trio

import hap_asyncio
import hap_asyncio.mdns
import hap_sync
import hap_sync.mdns
import hap_trio
import hap_trio.mdns
from hapcore.catalogue.services import Lightbulb
from hapcore.discovery import DiscoveredAccessory, Gone

NAME = "Test lamp"
CODE = "031-45-154"


def tell(event: str, **more: object) -> None:
    """Print what happened."""
    print(json.dumps({"event": event, "time": time.monotonic(), **more}), flush=True)


def _lamp() -> Lightbulb:
    return Lightbulb(on=False, brightness=50)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    return {"name": NAME, "setup_code": CODE, **given}


def _serving(server: Any) -> None:
    tell("serving", device_id=server.device_id, port=server.port)


def _news(news: DiscoveredAccessory | Gone) -> None:
    if isinstance(news, Gone):
        tell("gone", name=news.name, device_id=news.device_id)
    else:
        tell(
            "found",
            name=news.name,
            device_id=news.device_id,
            addresses=list(news.addresses),
            port=news.port,
            paired=news.paired,
            config_number=news.config_number,
        )


async def _serve_trio(settings: dict[str, Any]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with hap_trio.open_server(_lamp(), **settings) as server:
            _serving(server)
            async for _ in signals:
                return


async def _browse_trio(settings: dict[str, Any]) -> None:
    async with hap_trio.mdns.open_mdns(**settings) as mdns, mdns.browse() as browsing:
        tell("browsing")
        async for news in browsing:
            _news(news)


async def _serve_asyncio(settings: dict[str, Any]) -> None:
    task = asyncio.ensure_future(hap_asyncio.serve(_lamp(), started=_serving, **settings))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def _browse_asyncio(settings: dict[str, Any]) -> None:
    async with hap_asyncio.mdns.open_mdns(**settings) as mdns, mdns.browse() as browsing:
        tell("browsing")
        async for news in browsing:
            _news(news)


def _serve_sync(settings: dict[str, Any]) -> None:
    with hap_sync.open_server(_lamp(), **settings) as server:

        def stop(_number: int, _frame: object) -> None:
            server.call_soon(server.stop)

        signal.signal(signal.SIGTERM, stop)
        _serving(server)
        server.run()


def _browse_sync(settings: dict[str, Any]) -> None:
    with hap_sync.mdns.open_mdns(**settings) as mdns, mdns.browse() as browsing:
        tell("browsing")
        for news in browsing:
            _news(news)


def main(what: str, adapter: str, given: str = "{}") -> None:
    """Do it."""
    settings = json.loads(given)
    if what == "serve":
        settings = _settings(settings)
    match what, adapter:
        case "serve", "trio":
            trio.run(_serve_trio, settings)
        case "serve", "asyncio":
            asyncio.run(_serve_asyncio(settings))
        case "serve", "sync":
            _serve_sync(settings)
        case "browse", "trio":
            trio.run(_browse_trio, settings)
        case "browse", "asyncio":
            asyncio.run(_browse_asyncio(settings))
        case "browse", "sync":
            _browse_sync(settings)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
