"""Requests and settings that nobody sends or makes who means well, and what they must not do."""

from __future__ import annotations

import json

import pytest
from tests.core.accessory_rig import Rig

from hapcore.accessory.commands import AddAccessories, AnswerSnapshot
from hapcore.accessory.config import Config
from hapcore.accessory.events import SnapshotRequested
from hapcore.accessory.handlers import consult
from hapcore.catalogue.services import LockMechanism, Switch
from hapcore.codec.http import write_request
from hapcore.errors import LocalProtocolError
from hapcore.ids import HapStatus
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import HapStatusError


@pytest.mark.parametrize("good", [0, 1])
def test_who_writes_one_thing_twice_in_one_request_is_told_the_truth_about_each(good):
    """What was done and what was refused must not be taken for each other: one is written, the other has to wait."""
    lock = LockMechanism("Door")
    target = lock.lock_target_state
    done = []

    def turn(value, caller):
        if len(done) != good:
            done.append(None)
            raise HapStatusError(HapStatus.INSUFFICIENT_AUTHORIZATION)
        done.append(value)

    target.setter(turn)
    rig = Rig(accessories=[Accessory.of(lock)])

    def application(event):
        inquiry = consult(event, rig.server.database, lambda command: rig.server.submit(command, rig.now), print, {})
        if inquiry is not None:
            assert not inquiry.begin()

    rig.application = application
    line = rig.session()
    before = target.value
    entries = [{"aid": target.id.aid, "iid": target.id.iid, "value": value} for value in (1 - before, before)]
    told = [one["status"] for one in json.loads(line.put(*entries).body)["characteristics"]]
    if good == 0:
        assert (told, done, target.value) == ([0, HapStatus.BUSY], [1 - before], 1 - before)
    else:
        assert (told, done) == ([HapStatus.INSUFFICIENT_AUTHORIZATION, HapStatus.BUSY], [None])
        assert target.value == before


@pytest.mark.parametrize("where", ["accessory", "service"])
def test_a_key_that_no_file_can_hold(where):
    """It would come back as another one, and the numbers with it."""
    rig = Rig(accessories=[Accessory.bridge("Bridge")])
    before = rig.server.database
    accessory, service = ("\ud800", None) if where == "accessory" else (None, "\ud800")
    with pytest.raises(LocalProtocolError, match="key"):
        rig.submit(AddAccessories(Accessory("Window", services=[Switch("Window", key=service)], key=accessory)))
    assert rig.server.database is before


@pytest.mark.parametrize("picture", [None, "text", 5, bytearray(b"\xff\xd8")])
def test_a_picture_that_is_none_is_a_mistake_at_once(picture):
    camera = Accessory("Camera", services=[Switch("Camera")])
    camera.snapshot(lambda _wanted, _caller: b"\xff\xd8")
    rig = Rig(accessories=[camera])
    line = rig.session()
    body = b'{"resource-type":"image","image-width":10,"image-height":10}'
    line.send(write_request("POST", "/resource", "a", "application/hap+json", body))
    request = rig.said(SnapshotRequested)[0].request
    with pytest.raises(TypeError):
        rig.submit(AnswerSnapshot(request, picture))
    assert rig.submit(AnswerSnapshot(request, b"\xff\xd8")) is True
    assert line.take().status == 200


@pytest.mark.parametrize("name", ["answer_deadline", "event_interval"])
@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0])
def test_times_that_no_timer_can_have(name, seconds):
    with pytest.raises(ValueError, match=name):
        Config(name="Lamp", **{name: seconds})
