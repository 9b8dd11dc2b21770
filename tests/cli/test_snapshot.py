"""`hap snapshot`: the picture of a camera, and the words where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.program import ENVIRONMENT, LIMIT, Running, failure, hap, lines

CODE = "031-45-154"
CAMERA = """
from hapcore.catalogue.services import CameraRTPStreamManagement
from hapcore.ids import HapStatus
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import HapStatusError

camera = Accessory("Door", services=[CameraRTPStreamManagement()])


@camera.snapshot
def picture(wanted, caller):
    if wanted.width == 13:
        raise HapStatusError(HapStatus.NOT_ALLOWED)
    return b"\\xff\\xd8" + b"%d by %d" % (wanted.width, wanted.height)
"""


@pytest.fixture(scope="module")
def paired(tmp_path_factory):
    """The options that reach a camera, and those that reach a lamp."""
    folder = tmp_path_factory.mktemp("cameras")
    (folder / "door.py").write_text(CAMERA, encoding="utf-8")
    servers = []
    options = []
    for alias, what in (("door", "door:camera"), ("lamp", "lightbulb")):
        server = Running(
            "serve", what, "--address", "127.0.0.1", "--setup-code", CODE, "--no-mdns", "--json", cwd=folder
        )
        servers.append(server)
        here = server.next()
        where = ("--address", f"{here['host']}:{here['port']}", "-a", alias, "-f", folder / "p.json")
        lines(hap("pair", *where, "-p", CODE, "--json"))
        options.append(where)
    yield options
    for server in servers:
        server.stop()


def test_a_picture_in_a_file(paired, tmp_path):
    door, _ = paired
    done = hap("snapshot", *door, "-o", tmp_path / "door.jpg")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'door.jpg'}: 13 bytes\n")
    assert (tmp_path / "door.jpg").read_bytes() == b"\xff\xd81280 by 720"
    done = hap("snapshot", *door, "-o", tmp_path / "door.jpg", "--width", "64", "--height", "48", "--json")
    assert lines(done) == [{"event": "snapshot", "file": str(tmp_path / "door.jpg"), "bytes": 10}]


def test_a_picture_to_the_next_program(paired):
    door, _ = paired
    command = [sys.executable, "-m", "hap_trio.cli", "snapshot", *map(str, door), "-o", "-", "--json"]
    done = subprocess.run(command, capture_output=True, timeout=LIMIT, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\xff\xd81280 by 720", b"")


def test_where_there_is_no_picture_there_is_no_file(paired, tmp_path):
    door, lamp = paired
    output = tmp_path / "none.jpg"
    assert "accessory 1 has no camera" in failure(hap("snapshot", *lamp, "-o", output))
    assert "accessory 7 has no camera" in failure(hap("snapshot", *door, "-o", output, "--aid", "7"))
    assert "-70412" in failure(hap("snapshot", *door, "-o", output, "--width", "13"))
    assert not output.exists()
    assert "No such file" in failure(hap("snapshot", *door, "-o", tmp_path / "nowhere" / "door.jpg"))


@pytest.mark.parametrize("wrong", [("--width", "0"), ("--height", "65536"), ("--aid", "0"), ("-o", ".")])
def test_wrong_usage(wrong):
    failure(hap("snapshot", "-a", "door", "-o", "door.jpg", *wrong), code=2)


def test_the_recording_of_a_picture_can_be_replayed(paired, tmp_path):
    door, _ = paired
    record = tmp_path / "door.jsonl"
    assert hap("snapshot", *door, "-o", tmp_path / "door.jpg", "--record", record).returncode == 0
    assert all(json.loads(line) for line in Path(record).read_text(encoding="utf-8").splitlines())
    replayed = hap("replay", record)
    assert replayed.returncode == 0, replayed
