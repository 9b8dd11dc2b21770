"""Pictures of cameras: POST /resource (HAP 8.9)."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.core.accessory_rig import Rig
from tests.core.test_slow_handlers import Slow

from hapcore.accessory.handlers import MAX_RUNNING, consult
from hapcore.catalogue.services import Lightbulb
from hapcore.ids import HapStatus
from hapcore.ip.accessory import AnswerSnapshot, SnapshotRequested, UpdateValues
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import HapStatusError
from hapcore.model.snapshot import MAX_IMAGE, SnapshotReason, SnapshotWanted

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 300 + b"\xff\xd9"
ASK = {"resource-type": "image", "image-width": 640, "image-height": 360}


class Studio:
    """A bridge with a light and two cameras, their pictures taken by hand."""

    def __init__(self, **config: object) -> None:
        self.light = Lightbulb("Light", on=False)
        self.door, self.yard = Accessory("Door"), Accessory("Yard")
        accessories = [Accessory.bridge("Bridge"), Accessory.of(self.light), self.door, self.yard]
        self.rig = Rig(accessories=accessories, **config)
        self.rig.application = self.heard
        self.waiting: list = []
        self.complaints: list = []
        self.running: dict = {}

    def heard(self, event: object) -> None:
        inquiry = consult(
            event, self.rig.server.database, self.rig.submit, lambda *one: self.complaints.append(one), self.running
        )
        if inquiry is not None:
            self.waiting += inquiry.begin()


def status(answer):
    return answer.status, json.loads(answer.body)["status"]


def test_a_picture():
    studio = Studio()
    asked = []

    @studio.door.snapshot
    def take(wanted, caller):
        asked.append((wanted, caller.admin))
        return PICTURE

    line = studio.rig.session(admin=False)
    answer = line.ask("POST", "/resource", {**ASK, "aid": studio.door.aid, "reason": 1, "more": [1]})
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/jpeg", PICTURE)
    line.ask("POST", "/resource", {**ASK, "aid": studio.door.aid})
    line.ask("POST", "/resource", {**ASK, "aid": studio.door.aid, "reason": 7})
    assert asked == [
        (SnapshotWanted(640, 360, SnapshotReason.EVENT), False),
        (SnapshotWanted(640, 360), False),
        (SnapshotWanted(640, 360), False),
    ]
    assert studio.rig.said(SnapshotRequested)[0].aid == studio.door.aid
    assert "ff" not in repr(AnswerSnapshot(1, PICTURE))


def test_the_first_accessory_is_meant_where_none_is_named():
    rig = Rig()
    rig.lamp.accessory.snapshot(lambda wanted, caller: PICTURE)
    rig.application = lambda event: (
        (inquiry := consult(event, rig.server.database, rig.submit, print, {})) and inquiry.begin()
    )
    assert rig.session().ask("POST", "/resource", ASK).body == PICTURE


def test_a_coroutine_and_a_refusal():
    studio = Studio()

    @studio.door.snapshot
    async def take(wanted, caller):
        raise HapStatusError(HapStatus.NOT_ALLOWED)

    line = studio.rig.session()
    line.send(
        b"POST /resource HTTP/1.1\r\nContent-Length: 80\r\n\r\n%-80s"
        % json.dumps({**ASK, "aid": studio.door.aid}).encode()
    )
    ((consultation, awaited),) = studio.waiting
    assert not line.messages
    with pytest.raises(HapStatusError) as refusal:
        asyncio.run(awaited)
    consultation.raised(refusal.value)
    assert status(line.take()) == (207, HapStatus.NOT_ALLOWED)
    assert not studio.complaints


@pytest.mark.parametrize(
    ("picture", "complaint"),
    [
        ("a text", "bytes of a JPEG"),
        (b"\x89PNG", "FF D8"),
        (b"", "FF D8"),
        (b"\xff\xd8" + bytes(MAX_IMAGE), "more than"),
    ],
)
def test_what_is_no_picture_is_the_authors_mistake(picture, complaint):
    studio = Studio()
    studio.door.snapshot(lambda wanted, caller: picture)
    answer = studio.rig.session().ask("POST", "/resource", {**ASK, "aid": studio.door.aid})
    assert status(answer) == (207, HapStatus.UNABLE_TO_COMMUNICATE)
    ((number, error),) = studio.complaints
    assert number == (studio.door.aid, 0)
    assert complaint in str(error)


@pytest.mark.parametrize(
    "body", [{**ASK, "aid": 2}, {**ASK, "aid": 99}, ASK, {**ASK, "aid": 3, "resource-type": "sound"}]
)
def test_what_is_no_camera(body):
    studio = Studio()
    studio.door.snapshot(lambda wanted, caller: PICTURE)
    assert studio.door.aid == 3
    assert status(studio.rig.session().ask("POST", "/resource", body)) == (404, HapStatus.DOES_NOT_EXIST)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"resource-type":"image","image-width":1}',
        b'{"resource-type":"image","image-width":0,"image-height":1}',
        b'{"resource-type":"image","image-width":65536,"image-height":1}',
        b'{"resource-type":"image","image-width":"1","image-height":1}',
        b'{"resource-type":"image","image-width":1,"image-height":1,"aid":true}',
        b'{"resource-type":"image","image-width":1,"image-height":1,"reason":-1}',
        b'{"resource-type":"image","image-width":1,"image-height":1,"reason":null}',
    ],
)
def test_a_malformed_request(body):
    studio = Studio()
    studio.door.snapshot(lambda wanted, caller: PICTURE)
    line = studio.rig.session()
    line.send(b"POST /resource HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert line.take().status == 400
    assert not studio.rig.said(SnapshotRequested)


def test_one_that_takes_too_long_costs_its_own_connection_only():
    studio = Studio(answer_deadline=2.0)
    studio.door.snapshot(lambda wanted, caller: Slow())
    studio.yard.snapshot(lambda wanted, caller: PICTURE)
    slow, quick = studio.rig.session(), studio.rig.session(seed="quick")
    body = json.dumps({**ASK, "aid": studio.door.aid}).encode()
    slow.send(b"POST /resource HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    slow.send(b"GET /characteristics?id=%s HTTP/1.1\r\n\r\n" % str(studio.light.on.id).encode())
    assert not slow.messages, "what was sent behind it waits"
    assert quick.ask("POST", "/resource", {**ASK, "aid": studio.yard.aid}).body == PICTURE
    assert quick.get(str(studio.light.on.id)).status == 200
    quick.put({"aid": 2, "iid": studio.light.on.iid, "ev": True})
    studio.rig.submit(UpdateValues({studio.light.on.id: True}))
    assert quick.events()
    studio.rig.pass_time(2)
    first, second = slow.messages
    slow.messages.clear()
    assert status(first) == (207, HapStatus.TIMED_OUT)
    assert second.status == 200
    studio.waiting[0][0].returned(PICTURE)
    assert not slow.messages, "too late"
    assert slow.get(str(studio.light.on.id)).status == 200


def test_who_hangs_is_not_asked_for_ever():
    studio = Studio(answer_deadline=1.0)
    studio.door.snapshot(lambda wanted, caller: Slow())
    lines = [studio.rig.session(seed=str(number)) for number in range(MAX_RUNNING + 1)]
    body = json.dumps({**ASK, "aid": studio.door.aid}).encode()
    for line in lines:
        line.send(b"POST /resource HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    assert len(studio.waiting) == MAX_RUNNING
    assert status(lines[-1].take()) == (207, HapStatus.BUSY)


def test_a_camera_that_has_gone_meanwhile():
    studio = Studio()
    studio.door.snapshot(lambda wanted, caller: PICTURE)
    studio.rig.application = lambda event: None
    line = studio.rig.session()
    body = json.dumps({**ASK, "aid": studio.door.aid}).encode()
    line.send(b"POST /resource HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    (event,) = studio.rig.said(SnapshotRequested)
    line_of_another = studio.rig.session(seed="other")
    assert studio.rig.submit(AnswerSnapshot(event.request, HapStatus.SUCCESS)) is True
    assert status(line.take()) == (207, HapStatus.UNABLE_TO_COMMUNICATE), "success without a picture is none"
    assert studio.rig.submit(AnswerSnapshot(event.request, PICTURE)) is False
    studio.door.snapshot_fn = None
    studio.rig.application = studio.heard
    assert status(line_of_another.ask("POST", "/resource", {**ASK, "aid": studio.door.aid})) == (404, -70409)


def test_who_hangs_up_is_sent_nothing():
    studio = Studio()
    studio.door.snapshot(lambda wanted, caller: PICTURE)
    studio.rig.application = lambda event: None
    line = studio.rig.session()
    body = json.dumps({**ASK, "aid": studio.door.aid}).encode()
    line.send(b"POST /resource HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    studio.rig.server.receive_eof(line.connection, studio.rig.now)
    studio.rig.drain()
    (event,) = studio.rig.said(SnapshotRequested)
    assert studio.rig.submit(AnswerSnapshot(event.request, PICTURE)) is False
