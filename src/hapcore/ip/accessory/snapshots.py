"""POST /resource: pictures of cameras (HAP 8.9)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from hapcore.accessory.commands import AnswerSnapshot
from hapcore.codec.http import Request, write_response, write_response_head
from hapcore.codec.json import JsonError, JsonValue, Object, read_strict
from hapcore.ids import HapStatus
from hapcore.ip.accessory.asking import AskedSnapshot
from hapcore.ip.accessory.session import Session
from hapcore.model.numbers import FIRST_AID
from hapcore.model.snapshot import SnapshotReason, SnapshotWanted

if TYPE_CHECKING:
    from hapcore.ip.accessory.server import Server

__all__ = ["resource"]

_JSON: Final = "application/hap+json"
_BAD_REQUEST = write_response(400)
#: No such accessory, or one that is no camera.
_NO_SNAPSHOT = write_response(404, _JSON, b'{"status":-70409}')
#: Widths and heights beyond are no sizes of pictures.
_MAX_SIDE: Final = 65535
_REASONS: Final = {one.value: one for one in SnapshotReason}
#: How much of a picture is one part of the answer, which is sealed and sent as the transport takes it.
_PART: Final = 16 * 1024


class _BodyError(ValueError):
    """The body is malformed."""


def resource(server: Server, session: Session, request: Request) -> None:
    """A picture of a camera. Everything else on this connection waits for it, nothing on others does."""
    if not request.has_length:
        server.send(session, _BAD_REQUEST)
        return
    cameras = {one.aid for one in server.database.accessories if one.snapshot_fn is not None}
    if not cameras:
        server.send(session, _NO_SNAPSHOT)
        return
    try:
        found = _object(request.body)
        aid, wanted = _number(found, "aid", FIRST_AID), _wanted(found)
    except _BodyError:
        server.send(session, _BAD_REQUEST)
        return
    if found.get("resource-type") != "image" or aid not in cameras:
        server.send(session, _NO_SNAPSHOT)
        return
    server.ask(AskedSnapshot(session, aid, wanted, partial(_answered, server, session)))


def _object(body: bytes) -> Object:
    try:
        found = read_strict(body)
    except JsonError as error:
        raise _BodyError(str(error)) from None
    if not isinstance(found, Object):
        raise _BodyError("not a JSON object")
    return found


def _number(found: Object, name: str, absent: JsonValue = None) -> int:
    value = found.get(name, absent)
    if type(value) is not int or value < 0:
        raise _BodyError(f"{name} is not an unsigned number")
    return value


def _wanted(found: Object) -> SnapshotWanted:
    width, height = _number(found, "image-width"), _number(found, "image-height")
    if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
        raise _BodyError("no size of a picture")
    # A reason that is not known yet is as good as none.
    return SnapshotWanted(width, height, _REASONS.get(_number(found, "reason")) if "reason" in found else None)


def _answered(server: Server, session: Session, answer: AnswerSnapshot) -> None:
    image = answer.image
    if isinstance(image, HapStatus):
        # Success without a picture is none.
        status = image or HapStatus.UNABLE_TO_COMMUNICATE
        server.reply(session, write_response(207, _JSON, b'{"status":%d}' % status))
        return
    head = write_response_head(200, "image/jpeg", len(image))
    parts: list[Sequence[bytes]] = [(head,)]
    parts += [(image[at : at + _PART],) for at in range(0, len(image), _PART)]
    server.stream(session, parts)
