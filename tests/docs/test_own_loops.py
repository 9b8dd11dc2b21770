"""The two loops of docs/engine.md, over a real loopback socket."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest
from examples.own_controller import Blocking
from tests.docs.programs import ROOT, finish, line, running

from hapcore.catalogue.characteristics import ON
from hapcore.errors import Disconnected
from hapcore.ids import CharacteristicId
from hapcore.ip.controller import (
    CharacteristicChanged,
    CharacteristicWrite,
    Close,
    FinishPairSetup,
    GetAccessories,
    Identify,
    Read,
    StartPairSetup,
    Subscribe,
    VerifyPairing,
    Write,
)
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode
from hapcore.state import decode_state

LOOP = str(ROOT / "examples" / "own_loop.py")
CONTROLLER = str(ROOT / "examples" / "own_controller.py")


def _pair(port: int, code: str) -> Pairing:
    setup = Blocking("127.0.0.1", port)
    setup.do(StartPairSetup())
    pairing = setup.do(FinishPairSetup(SetupCode(code)))
    setup.do(Close())
    return pairing


def _session(port: int, pairing: Pairing) -> tuple[Blocking, CharacteristicId]:
    lamp = Blocking("127.0.0.1", port)
    lamp.do(VerifyPairing(pairing))
    (accessory,) = lamp.do(GetAccessories())
    return lamp, next(
        one.id for service in accessory.services for one in service.characteristics if one.type == ON.uuid
    )


def _send(lazy: socket.socket) -> None:
    """Send requests until the socket takes no more."""
    with suppress(BlockingIOError):
        while lazy.send(b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n" * 1000):
            pass


def test_both_programs_meet(tmp_path):
    with running([LOOP, "lamp.json"], tmp_path) as loop:
        port, code = line(loop).split()
        number, value = finish([CONTROLLER, port, code], tmp_path).split()
        assert CharacteristicId.parse(number).aid == 1
        assert value == "True"
        assert line(loop).startswith("PairingAdded")
        assert line(loop).startswith("CharacteristicsWritten")
    stored = decode_state((tmp_path / "lamp.json").read_bytes())
    assert "identity" in stored
    assert not [key for key in stored if key.startswith("pairing/")], "unpaired, so nothing is left of it"
    assert (tmp_path / "lamp.json").stat().st_mode & 0o777 == 0o600


def test_pairing_survives_a_restart_and_events_arrive(tmp_path):
    with running([LOOP, "lamp.json"], tmp_path) as loop:
        port, code = line(loop).split()
        pairing = _pair(int(port), code)
    with running([LOOP, "lamp.json"], tmp_path) as loop:
        port, again = line(loop).split()
        assert again == code
        writer, on = _session(int(port), pairing)
        listener, _ = _session(int(port), pairing)
        listener.do(Subscribe([on]))
        writer.do(Write([CharacteristicWrite(on, True)]))
        assert listener.do(Read([on]))[on].value is True
        assert CharacteristicChanged(on, True) in listener.events
        writer.do(Close())
        listener.do(Close())


def test_a_reader_that_never_reads_holds_up_nobody(tmp_path):
    with running([LOOP, "lamp.json"], tmp_path) as loop:
        port, code = line(loop).split()
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # little room for answers nobody takes
            lazy.connect(("127.0.0.1", int(port)))
            lazy.setblocking(False)
            for _ in range(150):  # a turn of the loop each, so all buffers on the way are full long before the end
                _send(lazy)
                other = Blocking("127.0.0.1", int(port))
                other.do(Identify())
                other.do(Close())
            _pair(int(port), code)


def test_an_end_without_an_answer_is_said(tmp_path):
    with running([LOOP, "lamp.json"], tmp_path) as loop:
        port, code = line(loop).split()
        lamp, on = _session(int(port), _pair(int(port), code))
    with pytest.raises(Disconnected):
        lamp.do(Read([on]))
    lamp.do(Close())
