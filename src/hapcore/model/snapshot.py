"""A picture that a controller asks a camera for (HAP 8.9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Final, TypeAlias

from attrs import frozen

from hapcore.ids import Caller

__all__ = ["MAX_IMAGE", "SnapshotFn", "SnapshotReason", "SnapshotWanted", "check_image"]

#: Largest picture in bytes: controllers take no larger answer, and half the accessory's memory is not for one picture.
MAX_IMAGE: Final = 8 * 1024 * 1024
#: How every JPEG begins.
_JPEG: Final = b"\xff\xd8"


class SnapshotReason(IntEnum):
    """Why a controller wants a picture."""

    #: To show what the camera sees now.
    PERIODIC = 0
    #: Something has happened: motion, the bell.
    EVENT = 1


@frozen
class SnapshotWanted:
    """What is asked for: `width` and `height` in pixels, 1 to 65535, and why, where the controller says so.

    The size is a wish: any other of the same shape will do.
    """

    width: int
    height: int
    reason: SnapshotReason | None = None


#: Takes a picture: bytes of a JPEG. Raises `HapStatusError` where there is none.
SnapshotFn: TypeAlias = Callable[[SnapshotWanted, Caller], Awaitable[bytes] | bytes]


def check_image(image: object) -> bytes:
    """The picture if it is one; raises `TypeError` and `ValueError`."""
    if not isinstance(image, bytes | bytearray):
        raise TypeError(f"wanted the bytes of a JPEG, got {type(image).__name__}")
    data = bytes(image)
    if not data.startswith(_JPEG):
        raise ValueError("wanted a JPEG, which begins with FF D8")
    if len(data) > MAX_IMAGE:
        raise ValueError(f"the picture has {len(data)} bytes, more than {MAX_IMAGE}")
    return data
