"""What the replay of one link has to remember."""

from __future__ import annotations

from hapcore.ble.accessory import GattRefuse, GattReply
from hapcore.codec.pdu import PduError, Request, RequestReader, ResponseReader
from hapcore.replay.ble.script import Write

__all__ = ["Link"]

_CONTINUATION = 0x80


class Link:
    """From connect to disconnect."""

    def __init__(self) -> None:
        #: What the last attribute request was answered with.
        self.reply: GattReply | GattRefuse | None = None
        #: Handles that were indicated and not compared yet.
        self.indicated: list[int] = []
        #: Recorded indications that did not come yet: handle and instance id.
        self.owed: list[tuple[int, int]] = []
        #: When our engine dropped the link.
        self.dropped: float | None = None
        #: Something happened that moves the state number, so that nothing has to be concluded.
        self.moved = False
        #: The last whole request by recorded handle, until it is carried out.
        self.requests: dict[int, Request] = {}
        #: Of a list of pairings, what our engine has said so far.
        self.list = ResponseReader(0)
        self._readers: dict[int, RequestReader] = {}

    def note(self, step: Write) -> Request | None:
        """Follow the requests; the one that this fragment completes."""
        fragment = step.raw if step.plain is None else step.plain
        reader = self._readers.get(step.handle)
        if reader is None or not fragment or not fragment[0] & _CONTINUATION:
            reader = self._readers[step.handle] = RequestReader()
            self.requests.pop(step.handle, None)
        try:
            request = reader.feed(fragment)
        except PduError:
            return None
        if request is not None:
            self.requests[step.handle] = request
        return request
