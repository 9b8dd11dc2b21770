"""Make docs/report.png, the picture of a report: `python tools/record_report.py`. Needs chromium.

A lamp is paired, read, written and watched in memory by our own engines. What they send is laid on a time axis, some of
it is lost, and the rest is decoded as a capture would be. With `--html FILE` the report itself is written, without
chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.decode.session import ENDPOINTS, House, Talk  # noqa: E402 - found by the line above

from hap_trio.cli.page import look  # noqa: E402
from hapcore.decode import Entry, Kind  # noqa: E402
from hapcore.decode.conversation import Conversation  # noqa: E402
from hapcore.decode.keys import KeyRing  # noqa: E402
from hapcore.decode.names import Rolodex  # noqa: E402
from hapcore.decode.report import report  # noqa: E402
from hapcore.ip.controller import (  # noqa: E402
    CharacteristicWrite,
    GetAccessories,
    ListPairings,
    Read,
    Subscribe,
    Write,
)
from hapcore.pairing.keylog import read_key_log  # noqa: E402

PICTURE = ROOT / "docs" / "report.png"
WIDTH, HEIGHT = 1360, 1000
START = 1763640000.0


class Stage:
    """Where what the engines send gets its times, and is decoded as it would be from a capture."""

    def __init__(self) -> None:
        self.now = START
        self.numbers = count()
        self.rolodex = Rolodex()
        self.entries: list[Entry] = []

    def open(self, talk: Talk, port: int, after: float) -> Heard:
        """The connection of this talk, which has its keys."""
        self.now += after
        name = f"192.168.1.4:{port} > 192.168.1.9:5001"
        keys = KeyRing(read_key_log(talk.keys).sessions)
        heard = Heard(self, talk, Conversation(name, keys, rolodex=self.rolodex, numbers=self.numbers))
        self.entries += heard.conversation.open(self.now)
        return heard


class Heard:
    """One connection as it is captured."""

    def __init__(self, stage: Stage, talk: Talk, conversation: Conversation) -> None:
        self.stage = stage
        self.talk = talk
        self.conversation = conversation
        self.told = 0

    def hear(self, after: float = 0.0, *, late: float = 0.0, lost: bool = False, silent: bool = False) -> None:
        """What was said since. The last answer comes `late`, is not captured (`lost`) or never comes (`silent`)."""
        stage = self.stage
        stage.now += after
        new = self.talk.sent[self.told :]
        self.told = len(self.talk.sent)
        for place, (direction, data, _) in enumerate(new):
            last = place == len(new) - 1
            if last and silent:
                break
            stage.now += 0.003 + len(data) / 30_000 + (late if last else 0.0)
            if last and lost:
                stage.entries += self.conversation.gap(direction, len(data), stage.now)
            else:
                stage.entries += self.conversation.feed(direction, data, stage.now)

    def close(self, after: float, how: str) -> None:
        """It ends."""
        self.stage.now += after
        self.stage.entries += self.conversation.close(self.stage.now, how)


def record() -> list[Entry]:
    """A conversation with all that a report shows, in few messages."""
    house, stage = House(rooms=2), Stage()
    on, level, endpoints = (house.find(short) for short in ("25", "8", "118"))
    setup = stage.open(house.pair(), 51620, 0.0)
    setup.hear(0.02)
    setup.close(0.01, "closed by the controller")

    line = house.connect()
    line.verify()
    phone = stage.open(line.talk, 51622, 0.03)
    phone.hear(0.01)
    for command in (GetAccessories(), Subscribe([on]), Read([on, level])):
        line.do(command)
        phone.hear(0.02)
    line.do(Write([CharacteristicWrite(on, True), CharacteristicWrite(level, 70)]))
    phone.hear(6.4)
    line.change(False)
    phone.hear(41.0)

    other = house.connect()
    other.verify()
    hub = stage.open(other.talk, 60114, 2.2)
    hub.hear(0.01)
    line.do(Read([on, level]))
    phone.hear(0.2, late=1.84)
    other.do(Read([on]))
    hub.hear(0.03, lost=True)
    other.do(Write([CharacteristicWrite(level, 100)]))
    hub.hear(3.1)
    line.do(Write([CharacteristicWrite(endpoints, ENDPOINTS)]))
    phone.hear(0.4)
    other.do(Read([level]))
    hub.hear(12.0, silent=True)
    hub.close(10.0, "closed by the controller")
    line.do(ListPairings())
    phone.hear(1.5)
    phone.close(90.0, "closed by the accessory")
    return stage.entries


def draw(page: Path, picture: Path, opened: int) -> None:
    """A browser's picture of the page, with one entry opened."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        sys.exit("needs chromium (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as profile:
        options = f"--headless --disable-gpu --no-first-run --disable-background-networking --user-data-dir={profile}"
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        shot = [f"--screenshot={picture}", f"--window-size={WIDTH},{HEIGHT}", "--hide-scrollbars"]
        subprocess.run(
            [program, *options.split(), *root, *shot, f"{page.as_uri()}#{opened}"], check=True, capture_output=True
        )


def main() -> None:
    """Write the page, or its picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--html", type=Path, help="write the report itself here, and no picture")
    wanted = parser.parse_args().html
    entries = record()
    page = "".join(report(entries, "lamp.pcapng", look()))
    if wanted is not None:
        wanted.write_text(page, encoding="utf-8")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        opened = next(one for one in entries if one.kind is Kind.REQUEST and "SetupEndpoints" in str(one.touched))
        draw(path, PICTURE, opened.number)


if __name__ == "__main__":
    main()
