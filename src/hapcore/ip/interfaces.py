"""Which of a machine's network interfaces are used, and which addresses are announced (HAP 11.3). Pure choosing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from attrs import frozen

from hapcore.errors import LocalProtocolError

__all__ = ["Interface", "announced", "check", "choose", "reachable", "senders"]


@frozen
class Interface:
    """A network interface that runs, with the addresses that can be used now, as texts without a scope.

    `index` is the operating system's number of it, 0 where it has none.
    """

    name: str
    index: int
    addresses: tuple[str, ...]

    @property
    def loopback(self) -> bool:
        """Whether it leads to this machine only."""
        return all(ipaddress.ip_address(address).is_loopback for address in self.addresses)


def check(wanted: Sequence[str], present: Iterable[Interface]) -> None:
    """Refuse what can never be an interface; what is only not there now is the operating system's to refuse.

    Raises `LocalProtocolError` for an empty choice, and for a text that is neither an IP address nor the name of an
    interface of this machine.
    """
    if not wanted:
        raise LocalProtocolError("name at least one interface, or None for all", argument="interfaces")
    names = sorted({interface.name for interface in present})
    for one in wanted:
        if not _is_address(one) and one not in names:
            raise LocalProtocolError(
                f"{one!r} is neither an IP address nor an interface of this machine ({', '.join(names)})",
                argument="interfaces",
            )


def choose(present: Iterable[Interface], wanted: Sequence[str] | None) -> tuple[Interface, ...]:
    """Those of `present` that `wanted` names, in a fixed order; None wants all.

    A name stands for whatever addresses its interface has, an address (a scope behind "%" counts too) for itself only.
    """
    if wanted is None:
        return tuple(sorted(present, key=_order))
    chosen: list[Interface] = []
    for interface in sorted(present, key=_order):
        if interface.name in wanted:
            chosen.append(interface)
        elif kept := tuple(one for one in interface.addresses if any(_means(w, one, interface) for w in wanted)):
            chosen.append(Interface(interface.name, interface.index, kept))
    return tuple(chosen)


def announced(chosen: Sequence[Interface]) -> tuple[str, ...]:
    """The addresses to announce for the chosen interfaces.

    Loopback ones only if there is nothing else; link-local ones only of an interface that has no other: the same
    announcement goes out on all interfaces, and on the others they would mean somebody else.
    """
    far = [interface for interface in chosen if not interface.loopback]
    addresses: dict[str, None] = {}
    for interface in far or chosen:
        routable = [one for one in interface.addresses if not ipaddress.ip_address(one).is_link_local]
        addresses.update(dict.fromkeys(routable or interface.addresses))
    return tuple(addresses)


def reachable(present: Sequence[Interface], wanted: Sequence[str]) -> tuple[str, ...]:
    """The addresses to announce for `wanted`, names of interfaces and IP addresses.

    An address stays what it is, even while this machine does not have it; a name stands for nothing then.
    """
    addresses: dict[str, None] = {}
    for want in wanted:
        if _is_address(want):
            addresses[str(ipaddress.ip_address(want.partition("%")[0]))] = None
        else:
            addresses.update(dict.fromkeys(announced(choose(present, [want]))))
    return tuple(addresses)


def senders(chosen: Iterable[Interface]) -> list[str | int]:
    """Where multicast has to go out: each IPv4 address, and the number of each interface that has an IPv6 one.

    Loopback by IPv6 is left to IPv4 where it has that: one way to oneself is enough.
    """
    ways: list[str | int] = []
    for interface in chosen:
        versions = {one: ipaddress.ip_address(one).version for one in interface.addresses}
        four = [one for one, version in versions.items() if version == 4]
        ways += four
        if 6 in versions.values() and interface.index and not (four and interface.loopback):
            ways.append(interface.index)
    return ways


def _order(interface: Interface) -> tuple[int, str]:
    return interface.index, interface.name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _means(wanted: str, address: str, interface: Interface) -> bool:
    """Whether a wanted address is this one of this interface."""
    bare, _, scope = wanted.partition("%")
    if scope not in ("", interface.name, str(interface.index)) or not _is_address(bare):
        return False
    return ipaddress.ip_address(bare) == ipaddress.ip_address(address)
