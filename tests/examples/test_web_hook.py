"""The example with a web hook: what comes in by the hook reaches the phones, and hardly anything comes in."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from tests.examples.visit import LIMIT, LOOPBACK, load

import hap_asyncio
from hapcore.catalogue.characteristics import ON

TOKEN = "correct horse battery staple"
ME = f"Authorization: Bearer {TOKEN}\r\n"


async def leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionResetError):
        await writer.wait_closed()


class Hooked(NamedTuple):
    """A program that is running, and a controller that has paired its switch."""

    module: ModuleType
    client: hap_asyncio.Client
    port: int

    async def say(self, request: str | bytes) -> bytes:
        """What comes back, until the other side closes."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        try:
            writer.write(request if isinstance(request, bytes) else request.encode())
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            await leave(writer)

    async def post(self, body: str) -> bytes:
        return await self.say(f"POST / HTTP/1.1\r\n{ME}Content-Length: {len(body)}\r\n\r\n{body}")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path, capsys) -> Callable[[Callable[[Hooked], Awaitable[None]]], None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOOK_TOKEN", TOKEN)
    original = hap_asyncio.open_server

    async def everything(visit: Callable[[Hooked], Awaitable[None]]) -> None:
        served: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        trouble: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))

        @asynccontextmanager
        async def wrapped(what: Any, **settings: Any) -> AsyncGenerator[Any]:
            async with original(what, **settings | {"address": LOOPBACK, "mdns": False}) as server:
                asyncio.get_running_loop().call_soon(served.set_result, server)
                yield server

        monkeypatch.setattr(hap_asyncio, "open_server", wrapped)
        module = load("web_hook.py")
        async with asyncio.timeout(LIMIT):
            program = asyncio.create_task(module.main(0))
            server = await served
            async with hap_asyncio.open_controller(mdns=False) as home:
                client = await home.pair(f"{LOOPBACK}:{server.port}", server.setup_code, "it")
                told = re.fullmatch(r"hook on port (\d+)\n", capsys.readouterr().out)
                assert told is not None
                await visit(Hooked(module, client, int(told[1])))
            assert not program.done()
            program.cancel()
            with pytest.raises(asyncio.CancelledError):
                await program
        assert not trouble

    return lambda visit: asyncio.run(everything(visit))


def test_the_hook_switches_and_the_phones_are_told(run):
    async def visit(hooked: Hooked) -> None:
        services = (await hooked.client.accessories())[0].services
        on = next(found.id for one in services if (found := one.find(ON.uuid)))
        async with hooked.client.subscribe([on]) as changes:
            assert await hooked.post("true") == (
                b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntrue"
            )
            assert (await anext(changes)).value is True
            assert (await hooked.post("false")).endswith(b"\r\n\r\nfalse")
            assert (await anext(changes)).value is False
        await hooked.client.write({on: True})
        assert json.loads((await hooked.say(f"GET / HTTP/1.1\r\n{ME}\r\n")).partition(b"\r\n\r\n")[2]) is True
        assert (await hooked.say(f"GET / HTTP/1.1\r\n{ME.lower().replace('bearer', 'Bearer')}\r\n")).endswith(b"true")

    run(visit)


def test_nobody_else_comes_in(run):
    async def visit(hooked: Hooked) -> None:
        post = "POST / HTTP/1.1\r\nContent-Length: 4\r\n{}\r\ntrue"
        for wrong in (
            "",
            "Authorization: Bearer\r\n",
            "Authorization: Bearer x\r\n",
            f"Authorization: Basic {TOKEN}\r\n",
            f"Authorization: Bearer {TOKEN}x\r\n",
            "Authorization: Bearer \xe9\r\n",
        ):
            assert (await hooked.say(post.format(wrong))).startswith(b"HTTP/1.1 401 Unauthorized\r\n"), wrong
        assert hooked.module.switch.on.value is False
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.2", hooked.port)  # this machine, but not that address

    run(visit)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (f"POST / HTTP/1.1\r\n{ME}Content-Length: 5\r\n\r\nmaybe", b"HTTP/1.1 400 "),
        (f"POST / HTTP/1.1\r\n{ME}Content-Length: 0\r\n\r\n", b"HTTP/1.1 400 "),
        (f"POST / HTTP/1.1\r\n{ME}Content-Length: 6\r\n\r\n true ", b"HTTP/1.1 413 "),
        (f"POST / HTTP/1.1\r\n{ME}Content-Length: {'9' * 3000}\r\n\r\n", b"HTTP/1.1 413 "),
        (f"POST / HTTP/1.1\r\n{ME}Content-Length: -1\r\n\r\n", b"HTTP/1.1 413 "),
        (f"POST / HTTP/1.1\r\n{ME}Transfer-Encoding: chunked\r\n\r\n4\r\ntrue\r\n0\r\n\r\n", b"HTTP/1.1 413 "),
        (f"GET /etc/passwd HTTP/1.1\r\n{ME}\r\n", b"HTTP/1.1 404 "),
        (f"PUT / HTTP/1.1\r\n{ME}\r\n", b"HTTP/1.1 404 "),
        (f"GET\r\n{ME}\r\n", b"HTTP/1.1 404 "),
        ("\r\n\r\n", b"HTTP/1.1 401 "),
        (f"GET / HTTP/1.1\r\n{ME}X: {'x' * 5000}\r\n\r\n", b""),
        (b"\0\1\2" * 5000, b""),
        (f"POST / HTTP/1.1\r\n{ME}Content-Length: 4\r\n\r\ntr", b""),
    ],
)
def test_what_is_no_request_changes_nothing(run, request_, answer):
    async def visit(hooked: Hooked) -> None:
        hooked.module.PATIENCE = 0.1  # for what never ends
        got = await hooked.say(request_)
        assert got.startswith(answer)
        assert bool(got) == bool(answer)
        assert hooked.module.switch.on.value is False
        assert (await hooked.post("true")).endswith(b"true"), "the next one is served"

    run(visit)


def test_few_at_a_time(run):
    async def visit(hooked: Hooked) -> None:
        hooked.module.PATIENCE = 60.0
        idle = [await asyncio.open_connection(LOOPBACK, hooked.port) for _ in range(hooked.module.OPEN)]
        while len(hooked.module.opened) < hooked.module.OPEN:
            await hooked.client.accessories()
        assert await hooked.post("true") == b""
        assert hooked.module.switch.on.value is False
        for _, writer in idle:
            await leave(writer)
        while hooked.module.opened:
            await hooked.client.accessories()
        assert (await hooked.post("true")).startswith(b"HTTP/1.1 200 ")

    run(visit)


def test_no_token_no_hook(monkeypatch):
    monkeypatch.setenv("HOOK_TOKEN", "")
    with pytest.raises(SystemExit, match="HOOK_TOKEN must have"):
        load("web_hook.py")
