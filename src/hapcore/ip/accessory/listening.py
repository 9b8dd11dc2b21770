"""Where an accessory listens, and what its connections are told to do about silence (HAP 8.1): data for adapters."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TypeAlias

from attrs import field, frozen, validators

from hapcore.errors import LocalProtocolError

__all__ = ["ANYWHERE", "KeepAlive", "Option", "Place", "is_unspecified", "places"]

#: A socket option and its value: the names of level and option, as C has them.
Option: TypeAlias = tuple[str, str, int | bytes]
#: All interfaces, as IPv4 has it.
ANYWHERE = "0.0.0.0"  # noqa: S104 - the choice of whoever names no address


@frozen
class KeepAlive:
    """TCP keep-alive: when a connection was silent for `idle` seconds the other side is asked every `interval` seconds,
    and after `count` questions without an answer the connection is over. At least 1, at most 32767 s and 127 times.

    Off unless given: accessories must not do it, because it wakes iOS devices (HAP 8.1). Where controllers vanish
    without a word and nothing of theirs sleeps, it frees their connections after `idle + interval * count` seconds, and
    on Linux also those where an answer or an event is waiting to be acknowledged for so long.
    What the operating system lacks of it is left as it is.
    """

    idle: int = field(default=60, validator=[validators.ge(1), validators.le(32767)])
    interval: int = field(default=10, validator=[validators.ge(1), validators.le(32767)])
    count: int = field(default=6, validator=[validators.ge(1), validators.le(127)])

    def options(self) -> tuple[Option, ...]:
        """Socket options. macOS calls the first of the three TCP_KEEPALIVE."""
        return (
            ("SOL_SOCKET", "SO_KEEPALIVE", 1),
            ("IPPROTO_TCP", "TCP_KEEPIDLE", self.idle),
            ("IPPROTO_TCP", "TCP_KEEPALIVE", self.idle),
            ("IPPROTO_TCP", "TCP_KEEPINTVL", self.interval),
            ("IPPROTO_TCP", "TCP_KEEPCNT", self.count),
            # Nobody is asked while an answer or an event is on its way: Linux sends that again for 15 minutes.
            ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 1000 * (self.idle + self.interval * self.count)),
        )


@frozen
class Place:
    """One socket to listen with: bound to `host`, an IP address, and with socket options, where the system has them."""

    host: str
    options: tuple[Option, ...]

    @contextmanager
    def naming(self, port: int) -> Generator[None, None, None]:
        """Have an `OSError` of the block, such as a taken port, say which address and port it is about."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror} ({self.host}, port {port})") from error


def places(
    address: str | Sequence[str] | None, keepalive: KeepAlive | None, *, dual: bool, devices: bool
) -> Iterator[Place]:
    """The sockets for the settings `address` and `keepalive`.

    `dual`: this system has sockets for both families at once; `devices`: it can bind one to an interface. Raises
    `LocalProtocolError` when no address is named at all, or an interface where only addresses can be.
    """
    wanted: list[str | None] = [address] if address is None or isinstance(address, str) else [*dict.fromkeys(address)]
    if not wanted:
        raise LocalProtocolError("name at least one to listen on, or None for all", argument="address")
    asked = keepalive.options() if keepalive is not None else ()
    both: tuple[Option, ...] = (("IPPROTO_IPV6", "IPV6_V6ONLY", 0),) if dual else ()
    everywhere = "::" if dual else ANYWHERE
    for one in wanted:
        if one is None:
            yield Place(everywhere, (*both, *asked))
        elif not _is_address(one):
            if not devices:
                problem = f"{one!r} is no IP address, and this system cannot listen on an interface by its name"
                raise LocalProtocolError(problem, argument="address")
            yield Place(everywhere, (*both, ("SOL_SOCKET", "SO_BINDTODEVICE", one.encode()), *asked))
        elif ip_address(one).version == 6:
            yield Place(one, (("IPPROTO_IPV6", "IPV6_V6ONLY", 1), *asked))
        else:
            yield Place(one, asked)


def is_unspecified(text: str) -> bool:
    """Whether it stands for all interfaces: "0.0.0.0" or "::"."""
    return _is_address(text) and ip_address(text).is_unspecified


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
