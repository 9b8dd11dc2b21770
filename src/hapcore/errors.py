"""Every error this library raises or reports.

Two families, kept apart on purpose: `LocalProtocolError` is the caller's own mistake and is raised at once;
everything below `PeerError` is something the other side did, or failed to do, and reaches the caller inside a `Failed`
reply or an event, never as an exception out of `receive_data`.
"""

from __future__ import annotations

__all__ = [
    "AccessoryChanged",
    "Disconnected",
    "DesynchronisedError",
    "EffectFailed",
    "HapError",
    "LocalProtocolError",
    "PairingRefused",
    "PeerError",
    "Refused",
    "RemoteProtocolError",
    "StateError",
    "TimedOut",
    "ValueRefused",
]


class HapError(Exception):
    """Base class of all errors of this library."""


class LocalProtocolError(HapError, ValueError):
    """The caller asked for something the protocol or the current state forbids.

    `argument` names the offending argument, or is None when the call itself came at the wrong time.
    """

    def __init__(self, message: str, *, argument: str | None = None) -> None:
        super().__init__(f"{argument}: {message}" if argument else message)
        self.argument = argument


class ValueRefused(LocalProtocolError):
    """A value does not fit its characteristic: format, range, step, valid values or length.

    `status` is the HAP status that a peer is answered with (-70410 unless said otherwise).
    """

    def __init__(self, message: str, *, argument: str | None = "value", status: int = -70410) -> None:
        super().__init__(message, argument=argument)
        self.status = status


class StateError(HapError):
    """Stored state cannot be used: corrupt, incomplete, or written by a newer version. It is never overwritten."""


class EffectFailed(HapError):
    """The adapter could not carry out an effect (a file could not be written, a connection not be made).

    `cause` is the exception that the adapter got, if it says so.
    """

    def __init__(self, message: str, *, cause: Exception | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class PeerError(HapError):
    """Something the peer did or did not do."""


class Refused(PeerError):
    """The peer understood the request and said no. The connection is still usable.

    `status` is the HTTP status (0 on transports without one), `hap_status` the HAP status (-704xx) if one came.
    """

    def __init__(self, message: str, *, status: int = 0, hap_status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.hap_status = hap_status


class PairingRefused(Refused):
    """A pairing procedure was answered with a TLV error.

    `error` is the TLV error code (1 Unknown ... 7 Busy), `step` the state of the answer (2, 4 or 6),
    `retry_delay` seconds where the peer named a delay.
    """

    def __init__(self, message: str, *, error: int, step: int, retry_delay: int | None = None) -> None:
        super().__init__(message, status=200)
        self.error = error
        self.step = step
        self.retry_delay = retry_delay


class RemoteProtocolError(PeerError):
    """The peer broke the protocol: says what was expected, what came and, where known, what to do."""

    def __init__(self, expected: str, got: str, advice: str = "") -> None:
        super().__init__(f"expected {expected}, got {got}" + (f"; {advice}" if advice else ""))
        self.expected = expected
        self.got = got
        self.advice = advice


class DesynchronisedError(RemoteProtocolError):
    """A frame did not decrypt or its length is illegal: the counters no longer agree, the session is over."""


class AccessoryChanged(RemoteProtocolError):
    """The host answered as another accessory than the paired one (its address was given to another device)."""


class Disconnected(PeerError):
    """The connection ended before the answer came. Whether the request was carried out is unknown."""


class TimedOut(Disconnected):
    """No answer came in time; the connection was closed, because a late answer could not be told from the next one."""
