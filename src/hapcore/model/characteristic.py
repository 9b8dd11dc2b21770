"""One value of a service: its type, its limits, what it holds now, and who wants to hear of a change (HAP 10.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import IntEnum
from typing import Any, Generic, TypeAlias, TypeVar, cast

from attrs import frozen

from hapcore.errors import HapError, LocalProtocolError, ValueRefused
from hapcore.ids import Caller, CharacteristicId, HapStatus, Value
from hapcore.model import values
from hapcore.model.metadata import Format, Metadata, Permission, Unit
from hapcore.model.uuid import IMMEDIATE, PROGRAMMABLE_SWITCH_EVENT, SERVICE_SIGNATURE, short_uuid
from hapcore.model.wire import Fragments, fragments

__all__ = ["AnyCharacteristic", "Characteristic", "CharacteristicType", "HapStatusError"]

T = TypeVar("T")


class HapStatusError(HapError):
    """Raised inside a getter or setter of the application: the controller gets `status` for this characteristic."""

    def __init__(self, status: HapStatus) -> None:
        super().__init__(status.text)
        self.status = status


@frozen
class CharacteristicType(Generic[T]):
    """A kind of characteristic: name, full upper-case UUID, default metadata, and the Python type of its values."""

    name: str
    uuid: str
    metadata: Metadata
    python: type[T]
    admin_only_read: bool = False
    admin_only_write: bool = False

    @property
    def short(self) -> str:
        """The UUID as it is sent: the leading digits for types of the base UUID, else the whole."""
        return short_uuid(self.uuid)


class Characteristic(Generic[T]):
    """A characteristic of our own accessory; `T` is the Python type of its value.

    The keyword arguments from `perms` to `description` replace what the type says. `timed` has it take timed writes
    only (HAP 9.4), `authorized` writes whose authorization data a setter judges (HAP 9.5), without all of `perms` being
    repeated. `key` names the characteristic for its stable number and is its type unless given; `iid` fixes the number.
    A `control_point` (by default tlv8 with write-response) is not read for the accessory database. Raises
    `LocalProtocolError` and `ValueRefused`.

    Over Bluetooth LE only: `clear_read` and `clear_write` open it to everybody, without any session, and
    `disconnected_events` has a change raise the state number that is advertised; by default that is so for what is
    readable and has events and broadcasts (HAP-BLE A.2.3).
    """

    __slots__ = (
        "_binding",
        "_enum",
        "_fresh",
        "_stale",
        "_value",
        "_wire",
        "admin_only_read",
        "admin_only_write",
        "aid",
        "authorized",
        "broadcasts",
        "clear_read",
        "clear_write",
        "control_point",
        "disconnected_events",
        "fixed_iid",
        "fragments",
        "getter_fn",
        "hidden",
        "id",
        "iid",
        "immediate",
        "key",
        "metadata",
        "notifies",
        "on_ip",
        "perms",
        "read_handled",
        "readable",
        "reads_null",
        "setter_fn",
        "timed",
        "type",
        "wire_prefix",
        "writable",
        "write_handled",
        "write_response",
    )

    def __init__(
        self,
        type: CharacteristicType[T],  # noqa: A002 - what it is
        value: T | None = None,
        *,
        perms: Iterable[Permission | str] | None = None,
        timed: bool | None = None,
        authorized: bool | None = None,
        unit: Unit | None = None,
        min: float | None = None,  # noqa: A002 - the names of the fields of Metadata
        max: float | None = None,  # noqa: A002
        step: float | None = None,
        max_len: int | None = None,
        max_data_len: int | None = None,
        valid_values: Iterable[int] | None = None,
        valid_ranges: Iterable[tuple[int, int]] | None = None,
        description: str | None = None,
        control_point: bool | None = None,
        admin_only_read: bool | None = None,
        admin_only_write: bool | None = None,
        clear_read: bool = False,
        clear_write: bool = False,
        disconnected_events: bool | None = None,
        key: str | None = None,
        iid: int | None = None,
    ) -> None:
        meta = type.metadata.but(
            perms=type.metadata.permitting(
                perms, {Permission.TIMED_WRITE: timed, Permission.ADDITIONAL_AUTHORIZATION: authorized}
            ),
            unit=unit,
            min=min,
            max=max,
            step=step,
            max_len=max_len,
            max_data_len=max_data_len,
            valid_values=None if valid_values is None else tuple(sorted({int(one) for one in valid_values})),
            valid_ranges=None if valid_ranges is None else tuple(sorted((low, high) for low, high in valid_ranges)),
            description=description,
        )
        has = meta.perms
        self.type = type
        self.metadata = meta
        self.perms = has
        #: The plain facts an engine asks for at every request.
        self.readable = Permission.READ in has
        self.writable = Permission.WRITE in has
        self.notifies = Permission.EVENTS in has
        self.timed = Permission.TIMED_WRITE in has
        self.write_response = Permission.WRITE_RESPONSE in has
        self.authorized = Permission.ADDITIONAL_AUTHORIZATION in has
        self.hidden = Permission.HIDDEN in has
        self.broadcasts = Permission.BROADCAST in has
        self.clear_read = clear_read
        self.clear_write = clear_write
        telling = self.readable and self.notifies and self.broadcasts
        self.disconnected_events = telling if disconnected_events is None else disconnected_events
        self.admin_only_read = type.admin_only_read if admin_only_read is None else admin_only_read
        self.admin_only_write = type.admin_only_write if admin_only_write is None else admin_only_write
        #: Events leave at once, and equal values are events too: a button may be pressed twice (HAP 9.6).
        self.immediate = type.uuid in IMMEDIATE
        #: A read over IP gives null, the value shows in events only (HAP 9.6).
        self.reads_null = type.uuid == PROGRAMMABLE_SWITCH_EVENT
        self.control_point = (
            meta.format is Format.TLV8 and self.write_response if control_point is None else control_point
        )
        #: Service signatures exist over Bluetooth LE only (HAP 10.3).
        self.on_ip = type.uuid != SERVICE_SIGNATURE
        self.key = short_uuid(type.uuid) if key is None else key
        self.fixed_iid = iid
        self.aid = 0
        self.iid = 0
        self.id = CharacteristicId(0, 0)
        self.wire_prefix = b'{"aid":0,"iid":0'
        self.fragments: Fragments = fragments(type.uuid, meta)
        self.read_handled = False
        self.write_handled = False
        self.getter_fn: Callable[[Caller], Awaitable[T] | T] | None = None
        self.setter_fn: Callable[[T, Caller], Awaitable[object] | object] | None = None
        self._enum = type.python if issubclass(type.python, IntEnum) or hasattr(type.python, "__members__") else None
        self._binding: Callable[[Characteristic[T], T], None] | None = None
        self._wire: bytes | None = None
        self._fresh = False
        self._stale: list[AnyCharacteristic] | None = None
        self._value: T = self.coerce(cast("T", values.default(meta)) if value is None else value)

    def __repr__(self) -> str:
        return f"<Characteristic {self.id} {self.type.name}>"

    @property
    def value(self) -> T:
        """The value it holds. Setting it checks the value (`ValueRefused`) and tells the subscribed controllers."""
        return self._value

    @value.setter
    def value(self, value: T) -> None:
        coerced = self.coerce(value)
        if self._binding is None:
            self.store(coerced)
        else:
            self._binding(self, coerced)

    def set(self, value: T) -> None:
        """The same as a call: `server.call_soon(light.on.set, True)` is how another thread sets a value."""
        self.value = value

    def coerce(self, value: object) -> T:
        """`value` checked against the metadata, in the Python type of the characteristic; `ValueRefused` names it."""
        try:
            checked = values.coerce(self.metadata, value)
        except ValueRefused as refusal:
            raise ValueRefused(str(refusal).removeprefix("value: "), argument=self.type.name) from None
        return self._typed(checked)

    def from_wire(self, value: object) -> T:
        """What a controller wrote, as JSON; `ValueRefused` where the metadata forbids it (HAP 10.5)."""
        return self._typed(values.from_wire(self.metadata, value))

    def _typed(self, value: Value) -> T:
        return cast("T", value if self._enum is None or value is None else self._enum(value))  # type: ignore[call-arg]

    def bind(self, binding: Callable[[Characteristic[T], T], None] | None) -> None:
        """Let `binding(characteristic, value)` carry out what the application sets; None takes it away again."""
        self._binding = binding

    def store(self, value: T) -> None:
        """Hold `value`, checked already, and tell nobody."""
        self._value = value
        self._wire = None
        if self._fresh and self._stale is not None:
            self._fresh = False
            self._stale.append(self)

    def to_wire(self) -> bytes:
        """The JSON text that a read gives: the value, or null for a programmable switch."""
        return b"null" if self.reads_null else self.event_to_wire()

    def event_to_wire(self) -> bytes:
        """The JSON text of the value as events carry it."""
        wire = self._wire
        if wire is None:
            wire = self._wire = values.to_wire(self.metadata, cast("Value", self._value))
        return wire

    def getter(self, fn: Callable[[Caller], Awaitable[T] | T]) -> Callable[[Caller], Awaitable[T] | T]:
        """Decorator: every read by a controller asks `fn(caller)`, a function or a coroutine function."""
        self.getter_fn = fn
        self.read_handled = True
        return fn

    def setter(
        self, fn: Callable[[T, Caller], Awaitable[object] | object]
    ) -> Callable[[T, Caller], Awaitable[object] | object]:
        """Decorator: every write by a controller asks `fn(value, caller)`, a function or a coroutine function.

        It returns when the write is done, or raises `HapStatusError` to refuse it.
        """
        self.setter_fn = fn
        self.write_handled = True
        return fn

    def attach(self, number: CharacteristicId, stale: list[AnyCharacteristic]) -> None:
        """The database gives the number, and the list in which a changed value is noted down."""
        self.aid, self.iid = number
        self.id = number
        self.wire_prefix = b'{"aid":%d,"iid":%d' % number
        self._stale = stale
        self._fresh = False
        stale.append(self)

    def mark_fresh(self) -> None:
        """The rendered database shows the value again."""
        self._fresh = True

    def require(self, permission: Permission) -> None:
        """Raise `LocalProtocolError` where `permission` is missing."""
        if permission not in self.perms:
            raise LocalProtocolError(f"{self.type.name} has no permission {permission.value!r}")


#: A characteristic of any value type.
AnyCharacteristic: TypeAlias = Characteristic[Any]
