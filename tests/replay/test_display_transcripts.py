"""Transcripts of an accessory with a display: they replay, and a redacted one holds none of the codes it has shown."""

from __future__ import annotations

import pytest
from tests.core import accessory_rig
from tests.core.accessory_rig import Draws, Rig
from tests.core.test_accessory_pairing import try_code

from hapcore.ip.accessory import ShowSetupCode
from hapcore.replay import replay_transcript
from hapcore.transcript import RecordedServer, read_transcripts


@pytest.mark.parametrize("with_secrets", [False, True])
def test_a_display_replays(monkeypatch: pytest.MonkeyPatch, with_secrets: bool) -> None:
    lines: list[bytes] = []

    def server(accessories: object, **more: object) -> RecordedServer:
        return RecordedServer(accessories, sink=lines.append, with_secrets=with_secrets, **more)

    monkeypatch.setattr(accessory_rig, "Server", server)
    rig = Rig(display=True, setup_code=None)
    try_code(rig.line(), "111-22-333")
    gone = rig.line()
    gone.ask("POST", "/pair-setup", bytes.fromhex("000100060101"), accessory_rig.TLV8)
    rig.server.receive_eof(gone.connection, rig.now)
    rig.drain()
    line = rig.line()
    shown: list[str] = []
    rig.application = lambda event: shown.append(event.code.text) if isinstance(event, ShowSetupCode) else None
    setup = accessory_rig.PairSetupController(Draws("phone"))
    assert setup.receive_m2(line.ask("POST", "/pair-setup", setup.m1(), accessory_rig.TLV8).body)
    m4 = line.ask("POST", "/pair-setup", setup.m3(shown[-1]), accessory_rig.TLV8).body
    setup.finish(line.ask("POST", "/pair-setup", setup.m5(m4), accessory_rig.TLV8).body)
    assert rig.server.paired
    codes = [one.code.text for one in rig.said(ShowSetupCode)]
    assert len(set(codes)) == 3
    (transcript,) = read_transcripts(lines)
    outcome = replay_transcript(transcript)
    assert outcome.first is None, str(outcome.first)
    assert outcome.compared > 10
    written = b"".join(lines).decode()
    for one in codes:
        assert (one in written) == with_secrets
        assert with_secrets or one.replace("-", "") not in written
    assert written.count("ShowSetupCode") == 3
