"""What runs on the hosts: an accessory, somebody who looks for accessories, of each adapter, or a controller.

    python tests/network/peer.py (serve | browse) (trio | asyncio | sync) [JSON]
    python tests/network/peer.py control trio JSON

JSON holds settings: those of `serve()` (with "keepalive" as an object), "interfaces" to browse on, the "device_id" of
what is to be found, paired and controlled. The controller is told what to do in lines with a word each: "read" reads a
value, on the connection there is or on a new one, and "remove" removes the pairing. Each line that is printed is a JSON
object with the "time" of the monotonic clock, which all processes of a machine share. SIGTERM ends an accessory in good
order, SIGUSR1 has a task of its program fail (trio).
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
from hapcore.errors import HapError
from hapcore.ip.accessory import KeepAlive, SessionClosed, SessionOpened

NAME = "Test lamp"
CODE = "031-45-154"


def tell(event: str, **more: object) -> None:
    """Print what happened."""
    print(json.dumps({"event": event, "time": time.monotonic(), **more}), flush=True)


def _lamp() -> Lightbulb:
    return Lightbulb(on=False, brightness=50)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    if "keepalive" in given:
        given["keepalive"] = KeepAlive(**given["keepalive"])
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
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGUSR1) as signals:
        async with hap_trio.open_server(_lamp(), **settings) as server, trio.open_nursery() as nursery:
            _serving(server)
            nursery.start_soon(_report_trio, server)
            async for number in signals:
                if number == signal.SIGUSR1:
                    nursery.start_soon(_crash_trio)
                else:
                    nursery.cancel_scope.cancel()


async def _report_trio(server: hap_trio.AccessoryServer) -> None:
    async for event in server.events():
        if isinstance(event, SessionOpened | SessionClosed):
            tell(type(event).__name__)


async def _crash_trio() -> None:
    raise RuntimeError("crashed, as it was told to")


async def _control_trio(settings: dict[str, Any]) -> None:
    async with hap_trio.open_controller() as home:
        lamp = await home.pair(await home.find(settings["device_id"]), CODE, "lamp")
        tell("paired")
        light = (await lamp.device()).lightbulb
        async for line in trio.wrap_file(sys.stdin):
            try:
                if line.strip() == "remove":
                    await home.remove("lamp")
                    tell("removed")
                else:
                    tell("read", value=await lamp.get(light.on))
            except HapError as error:
                tell("failed", error=str(error))


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
        case "control", "trio":
            trio.run(_control_trio, settings)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
