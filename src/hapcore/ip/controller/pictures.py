"""A picture of a camera: POST /resource, and what may come instead of one (HAP 8.9)."""

from __future__ import annotations

from typing import Final

from hapcore.codec.http import Response
from hapcore.codec.json import JsonError, read_tolerant
from hapcore.controller.commands import Snapshot
from hapcore.errors import LocalProtocolError, Refused, RemoteProtocolError
from hapcore.ids import HapStatus
from hapcore.ip.controller import requests
from hapcore.ip.controller.handshakes import Procedure
from hapcore.ip.controller.reading import refusal, refused, status_of
from hapcore.ip.controller.session import Session
from hapcore.model.snapshot import MAX_IMAGE

__all__ = ["MAX_PIXELS", "snapshot"]

#: Largest width and height: that is as far as the format goes.
MAX_PIXELS: Final = 65535
_WHAT: Final = "POST /resource"
_JPEG: Final = b"\xff\xd8"
#: How accessories say that they have no camera, or know nothing of pictures at all.
_NONE: Final = frozenset({404, 405, 501})
#: Characters of a content type that are shown.
_LONGEST: Final = 60


def snapshot(session: Session, command: Snapshot) -> Procedure:
    """One request, which may take long."""
    for name, size in (("width", command.width), ("height", command.height)):
        if not 1 <= size <= MAX_PIXELS:
            raise LocalProtocolError(f"is 1 to {MAX_PIXELS} pixels", argument=name)
    if command.aid is not None and command.aid < 1:
        raise LocalProtocolError("is 1 or more", argument="aid")
    reason = None if command.reason is None else int(command.reason)

    def run() -> Procedure:
        answer = yield requests.resource(session.host, command.width, command.height, command.aid, reason)
        return _picture(answer, command.aid)

    return run()


def _picture(answer: Response, aid: int | None) -> bytes:
    """The JPEG, whatever its content type; else the error that came in its place."""
    ok = 200 <= answer.status < 300
    if ok and answer.body.startswith(_JPEG):
        if len(answer.body) > MAX_IMAGE:
            raise RemoteProtocolError(f"a picture of at most {MAX_IMAGE} bytes", f"{len(answer.body)} bytes")
        return answer.body
    error = _inside(answer) if ok else refused(_WHAT, answer)
    if error is not None:
        if error.status in _NONE or error.hap_status == HapStatus.DOES_NOT_EXIST:
            error = Refused(
                f"accessory {aid or 1} has no camera that takes pictures: {error}",
                status=error.status,
                hap_status=error.hap_status,
            )
        raise error
    kind = answer.headers.get("content-type", "")[:_LONGEST]
    what = f"{len(answer.body)} bytes of {kind!r}" if answer.body else "none"
    raise RemoteProtocolError(f"a JPEG in the answer to {_WHAT}", what)


def _inside(answer: Response) -> Refused | None:
    """The status in a good answer, as cameras refuse that are there and do not want to."""
    try:
        body = read_tolerant(answer.body)
    except JsonError:
        return None
    status = status_of(body.get("status")) if isinstance(body, dict) else 0
    return refusal(_WHAT, answer.status, answer.reason, int(status)) if status else None
