"""The picture of a camera: POST /resource, and all that may come instead of one."""

from __future__ import annotations

import json

import pytest
from tests.core.ble_device import paired
from tests.core.controller_peer import answer, verified

from hapcore.errors import Disconnected, LocalProtocolError, Refused, RemoteProtocolError, TimedOut
from hapcore.ip.controller import PAIRING_TIMEOUT, Snapshot
from hapcore.ip.controller.pictures import MAX_PIXELS
from hapcore.model.snapshot import MAX_IMAGE, SnapshotReason

PICTURE = b"\xff\xd8\xff\xe0" + bytes(100) + b"\xff\xd9"


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (Snapshot(640, 360), {"image-height": 360, "resource-type": "image", "image-width": 640}),
        (Snapshot(1, 65535, aid=3), {"image-height": 65535, "resource-type": "image", "image-width": 1, "aid": 3}),
        (
            Snapshot(640, 360, reason=SnapshotReason.EVENT),
            {"image-height": 360, "resource-type": "image", "image-width": 640, "reason": 1},
        ),
    ],
)
def test_the_request_and_the_picture(command, body):
    link = verified(answer(200, PICTURE, "image/jpeg"))
    assert link.ask(command) == PICTURE
    (request,) = link.accessory.requests
    assert (request.method, request.target) == ("POST", "/resource")
    assert json.loads(request.body) == body


@pytest.mark.parametrize("content_type", ["image/jpeg", "Image/JPEG; q=1", "application/octet-stream", "image/png"])
def test_what_is_a_jpeg_is_one_whatever_it_is_called(content_type):
    assert verified(answer(200, PICTURE, content_type)).ask(Snapshot(640, 360)) == PICTURE


@pytest.mark.parametrize("reply", [answer(404, b'{"status":-70409}'), answer(404), answer(501), answer(404, b"<html>")])
def test_no_camera(reply):
    error = verified(reply).ask(Snapshot(640, 360, aid=2))
    assert type(error) is Refused
    assert "accessory 2 has no camera" in str(error)


@pytest.mark.parametrize(
    ("reply", "status", "hap_status"),
    [
        (answer(207, b'{"status":-70412}'), 207, -70412),
        (answer(200, b'{"status":70412}'), 200, -70412),
        (answer(500, b'{"status":-70402}'), 500, -70402),
        (answer(429), 429, -70403),
        (answer(500, b"<html>Oops</html>", "text/html"), 500, None),
    ],
)
def test_a_camera_that_does_not_want_to(reply, status, hap_status):
    error = verified(reply).ask(Snapshot(640, 360))
    assert type(error) is Refused
    assert (error.status, error.hap_status) == (status, hap_status)
    assert "no camera" not in str(error)


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (answer(200, b"<html>Hello</html>", "text/html"), "18 bytes of 'text/html'"),
        (answer(200, b"\x89PNG\r\n\x1a\n", "image/png"), "8 bytes of 'image/png'"),
        (answer(200, b"\xff", "image/jpeg"), "1 bytes of 'image/jpeg'"),
        (answer(200, b'{"status":0}'), "12 bytes of 'application/hap+json'"),
        (answer(200, b"[]"), "2 bytes of"),
        (answer(200), "got none"),
        (answer(204), "got none"),
    ],
)
def test_what_is_no_picture(reply, shown):
    link = verified(reply, answer(200, PICTURE))
    error = link.ask(Snapshot(640, 360))
    assert type(error) is RemoteProtocolError
    assert shown in str(error)
    assert link.ask(Snapshot(640, 360)) == PICTURE, "the connection is fine"


def test_a_picture_may_be_large_and_not_larger():
    link = verified(answer(200, PICTURE.ljust(MAX_IMAGE, b"-")), answer(200, PICTURE.ljust(MAX_IMAGE + 1, b"-")))
    assert len(link.ask(Snapshot(640, 360))) == MAX_IMAGE
    error = link.ask(Snapshot(640, 360))
    assert type(error) is RemoteProtocolError
    assert str(MAX_IMAGE) in str(error)


def test_a_session_that_is_not_authorised_any_more_ends():
    link = verified(answer(470, b'{"status":-70411}'))
    error = link.ask(Snapshot(640, 360))
    assert (error.status, error.hap_status) == (470, -70411)
    assert type(link.ask(Snapshot(640, 360))) is Disconnected


def test_a_camera_has_half_a_minute():
    link = verified(None)
    number = link.do(Snapshot(640, 360))
    assert link.engine.next_timeout() == PAIRING_TIMEOUT
    link.engine.handle_timeout(PAIRING_TIMEOUT)
    link.pump()
    assert type(link.reply(number)) is TimedOut


@pytest.mark.parametrize(
    "command",
    [Snapshot(0, 360), Snapshot(640, -1), Snapshot(MAX_PIXELS + 1, 360), Snapshot(640, 360, aid=0)],
)
def test_impossible_wishes_are_the_callers_mistake(command):
    link = verified()
    with pytest.raises(LocalProtocolError):
        link.engine.submit(command, 0.0)
    assert not link.sent


def test_over_bluetooth_le_it_is_the_callers_mistake():
    with pytest.raises(LocalProtocolError, match="over IP only"):
        paired().do(Snapshot(640, 360))
