"""The README's accessory, as a program: ten lines, and `kill -9` costs nothing."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Timer

import pytest

import hap_sync
from hap_sync.store import FileStore
from hapcore.accessory.stored import KEPT_AT_RESET
from hapcore.catalogue.characteristics import ON
from hapcore.errors import HapError
from hapcore.model.remote import AccessoryDescription
from hapcore.state import decode_state

ROOT = Path(__file__).parents[2]
CODE = "031-45-154"
#: Seconds in which a pairing, or some dozens of writes, are over.
LIFE = 0.06


@pytest.mark.parametrize("adapter", ["trio", "asyncio", "sync"])
def test_it_is_ten_lines(adapter: str) -> None:
    """Without the docstring and the empty ones."""
    text = (ROOT / "examples" / f"{adapter}_lamp.py").read_text(encoding="utf-8")
    skipped = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENDMARKER}
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    lines = {token.start[0] for token in tokens[1:] if token.type not in skipped}
    assert tokens[0].type == tokenize.STRING
    assert len(lines) <= 10


class Lamp:
    """The example, running."""

    def __init__(self, adapter: str, folder: Path) -> None:
        program = [Path(__file__).with_name("loopback.py"), ROOT / "examples" / f"{adapter}_lamp.py"]
        self.process = subprocess.Popen([sys.executable, *program], stdout=subprocess.PIPE, text=True, cwd=folder)
        assert self.process.stdout is not None
        self.address = f"127.0.0.1:{int(self.process.stdout.readline().removeprefix('serving '))}"

    def kill(self) -> None:
        self.process.kill()  # SIGKILL


@contextmanager
def running(adapter: str, folder: Path, *, life: float | None = None) -> Iterator[Lamp]:
    """The lamp, which is killed when its life is over, at the end of the block at the latest."""
    lamp = Lamp(adapter, folder)
    end = Timer(0 if life is None else life, lamp.kill)
    if life is not None:
        end.start()
    try:
        yield lamp
    finally:
        end.cancel()
        lamp.kill()
        lamp.process.communicate()


def on_of(accessories: tuple[AccessoryDescription, ...]) -> tuple[int, int]:
    return next(found.id for service in accessories[0].services if (found := service.find(ON.uuid)))


@pytest.mark.parametrize("adapter", ["trio", "asyncio", "sync"])
def test_killed_at_any_moment_it_goes_on(adapter: str, tmp_path: Path) -> None:
    dice = random.Random(adapter)
    state, identities, written = tmp_path / "lamp.json", set(), 0
    with hap_sync.open_controller(tmp_path / "pairings.json", mdns=False) as home:
        with running(adapter, tmp_path, life=dice.uniform(0, LIFE)) as lamp, suppress(HapError):
            home.pair(lamp.address, CODE, "lamp")
        table = decode_state(state.read_bytes())
        identities.add(table["identity"])
        stored = any(key.startswith("pairing/") for key in table)
        assert stored or not home.aliases, "the controller was told that it is paired"
        if stored and not home.aliases:  # killed before it could say so: as `hap reset --pairings`
            with FileStore(state) as store:
                store.replace({key: value for key, value in table.items() if key in KEPT_AT_RESET["pairings"]})
        if not home.aliases:
            with running(adapter, tmp_path) as lamp:
                home.pair(lamp.address, CODE, "lamp")
        for life in (dice.uniform(0, LIFE), None):
            with running(adapter, tmp_path) as lamp, closing(home.connect("lamp", address=lamp.address)) as client:
                on = on_of(client.accessories())
                end = Timer(life or 0, lamp.kill)
                if life is not None:
                    end.start()
                try:
                    for number in range(1 if life is None else 100_000):
                        client.write({on: not number % 2})
                        written += 1
                except HapError:
                    assert life is not None
                end.cancel()
            identities.add(decode_state(state.read_bytes())["identity"])
    assert len(identities) == 1
    assert written
