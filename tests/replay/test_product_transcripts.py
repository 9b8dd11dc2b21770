"""What a product does stands in its transcript: pictures, accessories that come and go, one handler for a service."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import CODE
from tests.replay.test_transcripts import Session, forms

from hapcore.accessory.commands import AddAccessories, RefreshDatabase, RemoveAccessories
from hapcore.accessory.handlers import consult
from hapcore.catalogue.services import Lightbulb, Switch
from hapcore.errors import Refused
from hapcore.ids import HapStatus
from hapcore.ip.controller import (
    CharacteristicWrite,
    FinishPairSetup,
    GetAccessories,
    Snapshot,
    StartPairSetup,
    VerifyPairing,
    Write,
)
from hapcore.model.accessory import BRIDGE
from hapcore.model.characteristic import HapStatusError
from hapcore.model.snapshot import SnapshotReason
from hapcore.replay import assert_replays

#: Not to be found in a transcript that tells no secrets: what a camera sees is nobody's business.
SEEN = bytes(range(64, 128)) * 3
PICTURE = b"\xff\xd8" + SEEN * 200


@pytest.mark.parametrize("with_secrets", [False, True])
def test_it_replays(monkeypatch: pytest.MonkeyPatch, with_secrets: bool) -> None:
    session = Session(monkeypatch, with_secrets=with_secrets)
    rig, do = session.rig, session.do
    rig.application = lambda event: (
        (inquiry := consult(event, rig.server.database, lambda one: rig.server.submit(one, rig.now), print, {}))
        and inquiry.begin()
    )
    bridge = rig.lamp.accessory
    bridge.category = BRIDGE
    do(StartPairSetup())
    do(VerifyPairing(do(FinishPairSetup(CODE))))
    do(GetAccessories())
    assert isinstance(do(Snapshot(640, 360)), Refused)

    bridge.snapshot(lambda wanted, caller: PICTURE)  # what the application comes to answer for is noted then
    assert do(Snapshot(640, 360, reason=SnapshotReason.EVENT)) == PICTURE

    light, window = Lightbulb("Light", hue=1.0), Switch("Window")
    rig.submit(AddAccessories([light, window]))
    rig.submit(RemoveAccessories(window))
    light.setter(lambda writes, caller: writes.refuse(light.hue, HapStatus.BUSY))
    rig.submit(RefreshDatabase())
    do(GetAccessories())
    assert [
        one.status
        for one in do(Write([CharacteristicWrite(light.on.id, True), CharacteristicWrite(light.hue.id, 2.0)])).values()
    ] == [0, HapStatus.BUSY]
    assert do(Snapshot(1, 1)) == PICTURE, "the same camera in another database"

    def dark(wanted: object, caller: object) -> bytes:
        raise HapStatusError(HapStatus.NOT_ALLOWED)

    bridge.snapshot(dark)
    assert do(Snapshot(1, 1)).hap_status == HapStatus.NOT_ALLOWED
    for transcript in session.transcripts:
        assert_replays(transcript)
        text = b"".join(transcript)
        assert any(form in text for form in forms(SEEN)) is with_secrets
