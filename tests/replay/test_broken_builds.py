"""A build of ours with one constant changed is caught by `hap replay`, which points at the message of that constant.

Each time it replays a transcript of the right build, and a recording of Apple's accessory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.program import ENVIRONMENT, LIMIT
from tests.laws.source import SRC
from tests.replay import test_ble_transcripts, test_transcripts
from tests.replay.recordings import path

#: File, constant, what it is changed to; transcript, what its first difference says; recording, and what that one says.
BUILDS = {
    "HKDF salt of pair-setup": (
        ("hapcore/pairing/setup/accessory.py", 'b"Pair-Setup-Encrypt-Salt"', 'b"Pair-Setup-Encrypt-Salz"'),
        ("ip accessory", "after pair-setup M5: pair-setup M6 instead of Persist"),
        ("ip-pair-setup", "HTTP status 200 instead of 400\n--- after\nPOST /pair-setup HTTP/1.1\n  State: 05"),
    ),
    "HKDF info of pair-verify": (
        ("hapcore/pairing/verify.py", 'b"Pair-Verify-Encrypt-Info"', 'b"Pair-Verify-Encrypt-Imfo"'),
        ("ip accessory", "pair-verify M2: item EncryptedData different"),
        ("ip-pair-verify", "inner Signature missing; item EncryptedData too much"),
    ),
    "HKDF info of a session": (
        ("hapcore/crypto/frames.py", 'b"Control-Read-Encryption-Key"', 'b"Control-Reed-Encryption-Key"'),
        ("ip accessory", "the answer to PUT /characteristics: encrypted otherwise"),
        ("ip-read", "not sealed with the recorded key"),
    ),
    "TLV type of the proof": (
        ("hapcore/pairing/items.py", "PROOF = 0x04", "PROOF = 0x44"),
        ("ip controller", "pair-setup M3: item Proof missing; item 0x44 too much"),
        ("ip-pair-setup", "HTTP status 400 instead of 200\n--- after\nPOST /pair-setup HTTP/1.1\n  State: 03"),
    ),
    "status code": (
        ("hapcore/ids.py", "DOES_NOT_EXIST = -70409", "DOES_NOT_EXIST = -70499"),
        (
            "ip accessory",
            "the answer to GET /characteristics?id=1.10,1.11,1.16,9.9: 9.9 status: -70499 instead of -70409",
        ),
        ("ip-read", "status: -70499 instead of -70409\n--- after\nGET /characteristics?id="),
    ),
    # Headers of others are compared by meaning: the recording cannot show it.
    "HTTP header": (
        ("hapcore/ip/accessory/exchange.py", '"application/hap+json"', '"application/json"'),
        (
            "ip accessory",
            "the answer to PUT /characteristics: content-type 'application/json' instead of 'application/hap+json'",
        ),
        ("ip-read", None),
    ),
    "BLE opcode": (
        ("hapcore/codec/pdu.py", "CHARACTERISTIC_READ = 0x03", "CHARACTERISTIC_READ = 0x13"),
        ("ble controller", "pairing features: opcode 13 instead of 03"),
        ("ble-read-write", "status 01 instead of 00"),
    ),
    "BLE parameter": (
        ("hapcore/ble/accessory/configuration.py", "_PROPERTIES: Final = 1", "_PROPERTIES: Final = 3"),
        ("ble accessory", "after characteristic configuration of characteristic 65: GattReply instead of Persist"),
        ("ble-events", "status 06 instead of 00"),
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of our packages, and transcripts of what the right ones did."""
    folder = tmp_path_factory.mktemp("build")
    shutil.copytree(SRC, folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        ip = test_transcripts.Session(patch, with_secrets=True).run()
    ble = test_ble_transcripts.session(with_secrets=True)
    for transport, session in (("ip", ip), ("ble", ble)):
        for role, lines in zip(("accessory", "controller"), session.transcripts, strict=True):
            (folder / f"{transport} {role}").write_bytes(b"".join(lines))
    return folder


def replayed(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hap_trio.cli", "replay", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env={**ENVIRONMENT, "PYTHONPATH": os.fspath(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )


@pytest.mark.parametrize("name", BUILDS)
def test_one_constant(built: Path, name: str) -> None:
    (file, right, wrong), (transcript, said), (recording, also) = BUILDS[name]
    source = built / "src" / file
    text = source.read_text("utf-8")
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong), "utf-8")
    try:
        ours = replayed(built, built / transcript)
        theirs = replayed(built, "--as", "accessory", path(recording))
    finally:
        source.write_text(text, "utf-8")
    assert ours.returncode == 1, ours
    assert said in ours.stdout.splitlines()[0]
    assert theirs.returncode == (0 if also is None else 1), theirs
    assert also is None or also in theirs.stdout


def test_the_right_build(built: Path) -> None:
    for transcript in ("ip accessory", "ip controller", "ble accessory", "ble controller"):
        result = replayed(built, built / transcript)
        assert result.returncode == 0, result.stdout
