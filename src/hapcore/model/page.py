"""One accessory's part of the database answer: fixed text and, between it, the slots that change (HAP 8.6, 10.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import AnyCharacteristic
from hapcore.model.service import Service

__all__ = ["Page"]

_FLAG = {True: b"true", False: b"false"}


class Page:
    """The rendered accessory. Rendering again costs a join, and one slot for each value changed since."""

    __slots__ = ("_events", "_parts", "_shared", "_size", "_slots", "stale")

    def __init__(self, accessory: Accessory, opening: bytes, closing: bytes) -> None:
        #: Characteristics whose slot is out of date: they note themselves down.
        self.stale: list[AnyCharacteristic] = []
        self._parts: list[bytes] = []
        self._slots: dict[AnyCharacteristic, int] = {}
        self._events: dict[AnyCharacteristic, int] = {}
        fixed = opening + b'{"aid":%d,"services":[' % accessory.aid
        for position, service in enumerate(one for one in accessory.services if one.on_ip):
            fixed = self._service(service, fixed + (b"," if position else b""))
        self._parts.append(fixed + b"]}" + closing)
        self._shared: tuple[bytes, ...] | None = None
        self._size = 0

    def _service(self, service: Service, fixed: bytes) -> bytes:
        fixed += b'{"iid":%d,"type":"%b","primary":%b,"hidden":%b,"linked":[%b],"characteristics":[' % (
            service.iid,
            service.type.short.encode(),
            _FLAG[service.primary],
            _FLAG[service.hidden],
            b",".join(b"%d" % one.iid for one in service.linked if one.on_ip),
        )
        for position, one in enumerate(one for one in service.characteristics if one.on_ip):
            fixed = self._characteristic(one, fixed + (b"," if position else b""))
        return fixed + b"]}"

    def _characteristic(self, one: AnyCharacteristic, fixed: bytes) -> bytes:
        parts, known = self._parts, one.fragments
        fixed += b'{"iid":%d' % one.iid + known.type + known.format
        if one.readable:
            fixed += b',"value":'
            if one.control_point:
                fixed += b'""'
            else:
                self._slots[one] = len(parts) + 1
                parts += (fixed, b"null")
                fixed = b""
        fixed += known.perms
        if one.readable:
            self._events[one] = len(parts) + 1
            parts += (fixed + b',"ev":', b"false")
            fixed = b""
        return fixed + known.description + known.limits + known.choices + b"}"

    def parts(
        self, values: Mapping[AnyCharacteristic, bytes] | None = None, subscribed: Sequence[AnyCharacteristic] = ()
    ) -> tuple[Sequence[bytes], int]:
        """The text in parts and its size, with `values` in place of what is held, and `subscribed` shown as such.

        The parts stay as they are, whatever changes later, and are shared by all who ask: nothing is copied but what
        differs for one of them.
        """
        if self.stale:
            self._refresh()
        if self._shared is None:
            self._shared = tuple(self._parts)
            self._size = sum(map(len, self._shared))
        if not (values or subscribed):
            return self._shared, self._size
        parts, size = self._parts.copy(), self._size
        for one, text in (values or {}).items():
            slot = self._slots.get(one)
            if slot is not None:
                size += len(text) - len(parts[slot])
                parts[slot] = text
        for one in subscribed:
            slot = self._events.get(one)
            if slot is not None:
                size += len(b"true") - len(parts[slot])
                parts[slot] = b"true"
        return parts, size

    def _refresh(self) -> None:
        parts, slots = self._parts, self._slots
        for one in self.stale:
            slot = slots.get(one)
            if slot is not None:
                parts[slot] = one.to_wire()
            one.mark_fresh()
        self.stale.clear()
        self._shared = None
