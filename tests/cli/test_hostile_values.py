"""What a controller writes reaches commands and servers of a house as it is: over the network, all the way."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
from tests.cli.test_house import SPY, serving

import hap_trio
from hap_trio.cli.house import load
from hap_trio.stream import dial
from hapcore.catalogue.characteristics import CONFIGURED_NAME
from hapcore.controller.commands import VerifyPairing
from hapcore.ids import CharacteristicId, HapStatus, Value

HOSTILE = [
    "; rm -rf .",
    "$(touch owned)",
    "`touch owned`",
    "a\nb; touch owned\n",
    "x\r\nX-Key: stolen\r\n\r\nGET /owned HTTP/1.1",
    "-rf",
    "--help",
    "' \" \\ | & > owned",
    "%2e%2e/%00?a=b&c=d#e",
    "{value}",
    "../../../owned",
    "${HOME} %PATH% !!",
    "",
    " ",
    "nä\U0001f4a1\u202e",
    "\x1b]0;owned\x07",
    "x" * 64,
]


class Television(NamedTuple):
    """What is served, a controller that has paired it, and the characteristic that has a command behind it."""

    client: hap_trio.Client
    port: int
    name: CharacteristicId

    async def write(self, value: Value) -> int:
        """Write it, and return the status."""
        return (await self.client.write({self.name: value}))[self.name].status

    async def unchecked(self, value: Value) -> int:
        """Write what our own controller would refuse to, by one that knows nothing of the accessory."""
        async with hap_trio.open_connection(await dial("127.0.0.1", self.port)) as session:
            await session.do(VerifyPairing(self.client.pairing))
            return (await session.write({self.name: value}))[self.name].status


@asynccontextmanager
async def television(folder: Path, text: str) -> AsyncGenerator[Television]:
    """A house of one television, served on loopback, and a controller that has paired it."""
    (folder / "house.toml").write_text(f'[accessories.tv]\nservice = "television"\n{text}', encoding="utf-8")
    built = load(str(folder / "house.toml"))
    with trio.fail_after(30):
        async with (
            hap_trio.open_server(built.things, address="127.0.0.1", mdns=False, state=built.state) as server,
            hap_trio.open_controller(mdns=False) as home,
        ):
            client = await home.pair(f"127.0.0.1:{server.port}", server.setup_code, "tv")
            services = (await client.accessories())[0].services
            yield Television(
                client, server.port, next(found.id for one in services if (found := one.find(CONFIGURED_NAME.uuid)))
            )


async def test_commands_get_what_was_written(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    told = tmp_path / "told"
    command = json.dumps([sys.executable, "-c", SPY, str(told), "--", "{value}", "end"])
    async with television(tmp_path, f"write.configured_name = {{run = {command}, timeout = 8}}") as tv:
        for value in HOSTILE:
            assert await tv.write(value) == 0, value
            arguments, variables, given = json.loads(told.read_text())
            assert (arguments, variables["HAP_VALUE"], given) == (["--", value, "end"], value, value + "\n")
    assert not list((tmp_path / "in").iterdir())


async def test_a_shell_that_reads_the_variable_runs_none_of_it(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    script = f"""write.configured_name.run = ["sh", "-c", 'printf %s "$HAP_VALUE" > "{tmp_path}/said"']"""
    async with television(tmp_path, script) as tv:
        for value in HOSTILE:
            assert await tv.write(value) == 0, value
            assert (tmp_path / "said").read_bytes().decode() == value
    assert not list((tmp_path / "in").iterdir())


async def test_servers_get_what_was_written_and_one_request_each(tmp_path):
    with serving() as device:
        text = (
            f"[accessories.tv.write.configured_name]\nurl = '{device.url}/200?name={{value}}'\nmethod = 'put'\n"
            "headers = {X-Key = 'secret'}\njson = {name = '{value}'}"
        )
        async with television(tmp_path, text) as tv:
            for value in HOSTILE:
                assert await tv.write(value) == 0, value
        assert [(method, key, json.loads(body)["name"]) for method, _, key, body in device.got] == [
            ("PUT", "secret", value) for value in HOSTILE
        ]
        assert all(
            path.startswith("/200?name=") and not set(path[10:]) & set("&#?/ =;") for _, path, _, _ in device.got
        )


@pytest.mark.parametrize("value", ["x" * 65, 5, True])
async def test_what_is_no_text_for_it_runs_nothing(tmp_path, value, capfd):
    command = json.dumps([sys.executable, "-c", SPY, str(tmp_path / "told")])
    async with television(tmp_path, f"write.configured_name.run = {command}") as tv:
        assert await tv.unchecked(value) == HapStatus.INVALID_VALUE
    assert not (tmp_path / "told").exists()
    assert not capfd.readouterr().err


async def test_a_nul_ends_the_text(tmp_path):
    command = json.dumps([sys.executable, "-c", SPY, str(tmp_path / "told"), "{value}"])
    async with television(tmp_path, f"write.configured_name.run = {command}") as tv:
        assert await tv.unchecked("a\0-rf") == 0
        arguments, variables, given = json.loads((tmp_path / "told").read_text())
    assert (arguments, variables["HAP_VALUE"], given) == (["a"], "a", "a\n")
