"""Which interfaces are used, which addresses are announced, where an accessory listens, and who keeps a name."""

from __future__ import annotations

import pytest

from hapcore.discovery import ServiceRecord, StatusFlags
from hapcore.errors import LocalProtocolError
from hapcore.ip.accessory.listening import ANYWHERE, KeepAlive, Place, places
from hapcore.ip.accessory.settings import announced_at
from hapcore.ip.claims import DEFENCE_SECONDS, Claim, Decision
from hapcore.ip.interfaces import Interface, announced, check, choose, reachable, senders

LO = Interface("lo", 1, ("127.0.0.1", "::1"))
ETH = Interface("eth0", 2, ("192.0.2.5", "2001:db8::5", "fe80::5"))
WLAN = Interface("wlan0", 3, ("198.51.100.5", "fe80::5"))
THREAD = Interface("wpan0", 4, ("fe80::9",))
ALL = [WLAN, LO, THREAD, ETH]


def test_all_are_chosen_in_a_fixed_order() -> None:
    assert choose(ALL, None) == choose(reversed(ALL), None) == (LO, ETH, WLAN, THREAD)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (["eth0"], (ETH,)),
        (["wlan0", "eth0"], (ETH, WLAN)),
        (["192.0.2.5"], (Interface("eth0", 2, ("192.0.2.5",)),)),
        (["2001:DB8:0::5"], (Interface("eth0", 2, ("2001:db8::5",)),)),
        (["fe80::5%wlan0"], (Interface("wlan0", 3, ("fe80::5",)),)),
        (["fe80::5%3"], (Interface("wlan0", 3, ("fe80::5",)),)),
        (["fe80::5"], (Interface("eth0", 2, ("fe80::5",)), Interface("wlan0", 3, ("fe80::5",)))),
        (["192.0.2.77"], ()),
        (["eth1"], ()),
    ],
)
def test_an_interface_is_chosen_by_name_or_by_address(wanted: list[str], chosen: tuple[Interface, ...]) -> None:
    assert choose(ALL, wanted) == chosen


@pytest.mark.parametrize(
    ("chosen", "addresses"),
    [
        ((LO,), ("127.0.0.1", "::1")),
        ((LO, ETH), ("192.0.2.5", "2001:db8::5")),
        ((LO, ETH, WLAN), ("192.0.2.5", "2001:db8::5", "198.51.100.5")),
        ((THREAD,), ("fe80::9",)),
        ((LO, ETH, THREAD), ("192.0.2.5", "2001:db8::5", "fe80::9")),
        ((Interface("eth0", 2, ("169.254.7.7", "192.0.2.5")),), ("192.0.2.5",)),
        ((), ()),
    ],
)
def test_what_is_announced(chosen: tuple[Interface, ...], addresses: tuple[str, ...]) -> None:
    assert announced(chosen) == addresses


def test_what_is_announced_of_a_choice() -> None:
    assert reachable(ALL, ["wlan0"]) == ("198.51.100.5",)
    assert reachable(ALL, ["wlan0", "192.0.2.5"]) == ("198.51.100.5", "192.0.2.5")
    assert reachable(ALL, ["192.0.2.77", "fe80::5%eth0"]) == ("192.0.2.77", "fe80::5")  # given up by us for now
    assert reachable(ALL, ["eth1"]) == ()


def test_where_multicast_goes_out() -> None:
    assert senders(choose(ALL, None)) == ["127.0.0.1", "192.0.2.5", 2, "198.51.100.5", 3, 4]
    assert senders([Interface("lo", 1, ("::1",))]) == [1]
    assert senders([Interface("eth0:1", 0, ("192.0.2.6", "fe80::6"))]) == ["192.0.2.6"]


@pytest.mark.parametrize("wanted", [[], ["eth1"], ["192.0.2.5", "everywhere"], ["127.0.0.1%"]])
def test_what_can_be_no_interface_is_refused(wanted: list[str]) -> None:
    with pytest.raises(LocalProtocolError, match=r"interfaces: "):
        check(wanted, ALL)
    check(["eth0", "203.0.113.9"], ALL)  # an address may be of tomorrow


# Listening

NONE: dict[str, bool] = {"dual": True, "devices": True}


def test_everywhere_is_one_socket_for_both_families_where_that_can_be() -> None:
    assert list(places(None, None, **NONE)) == [Place("::", (("IPPROTO_IPV6", "IPV6_V6ONLY", 0),))]
    assert list(places(None, None, dual=False, devices=True)) == [Place(ANYWHERE, ())]


def test_an_interface_has_a_socket_for_whatever_addresses_it_has() -> None:
    bound = ("SOL_SOCKET", "SO_BINDTODEVICE", b"eth0")
    assert list(places(["eth0", "192.0.2.5", "fe80::5%eth0", "eth0"], None, **NONE)) == [
        Place("::", (("IPPROTO_IPV6", "IPV6_V6ONLY", 0), bound)),
        Place("192.0.2.5", ()),
        Place("fe80::5%eth0", (("IPPROTO_IPV6", "IPV6_V6ONLY", 1),)),
    ]
    with pytest.raises(LocalProtocolError, match=r"'eth0' is no IP address, and this system"):
        list(places("eth0", None, dual=True, devices=False))
    with pytest.raises(LocalProtocolError, match="at least one"):
        list(places([], None, **NONE))


def test_keep_alive_is_asked_for_in_the_words_of_every_system() -> None:
    (place,) = places("192.0.2.5", KeepAlive(idle=30, interval=5, count=3), **NONE)
    assert dict(option[1:] for option in place.options) == {
        "SO_KEEPALIVE": 1,
        "TCP_KEEPIDLE": 30,
        "TCP_KEEPALIVE": 30,
        "TCP_KEEPINTVL": 5,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": 45_000,
    }
    for wrong in ({"idle": 0}, {"interval": 40000}, {"count": 128}):
        with pytest.raises(ValueError, match="must be"):
            KeepAlive(**wrong)


@pytest.mark.parametrize(
    ("address", "announce"),
    [
        (None, []),
        (ANYWHERE, []),
        ("::", []),
        ("192.0.2.5", ["192.0.2.5"]),
        ("eth0", ["eth0"]),
        (["eth0", "192.0.2.5"], ["eth0", "192.0.2.5"]),
        (["eth0", "::"], []),
    ],
)
def test_only_where_it_listens_it_is_announced(address: str | list[str] | None, announce: list[str]) -> None:
    assert announced_at({"address": address}) == announce


# Names


def _claim(device_id: str, attempt: int = 1) -> Claim:
    return Claim(ServiceRecord("Lamp", device_id, 1, 5, StatusFlags(0)), attempt)


def test_of_two_with_one_name_one_yields_and_one_stays() -> None:
    low, high = _claim("AA:00:00:00:00:01"), _claim("AA:00:00:00:00:02")
    assert low.heard(high.name, high.host, 10.0) is Decision.YIELD
    assert high.heard(low.name, low.host, 10.0) is Decision.DEFEND
    assert high.heard(low.name, low.host, 10.5) is Decision.IGNORE  # the other needs a moment


def test_who_never_yields_gets_the_name_in_the_end() -> None:
    high = _claim("AA:00:00:00:00:02")
    assert high.heard("Lamp", "0000.local.", 10.0) is Decision.DEFEND
    assert high.heard("Lamp", "0000.local.", 10.0 + DEFENCE_SECONDS) is Decision.IGNORE
    assert high.heard("Lamp", "0000.local.", 10.1 + DEFENCE_SECONDS) is Decision.YIELD


def test_what_is_no_claim_is_passed_over() -> None:
    claim = _claim("AA:00:00:00:00:02", attempt=2)
    assert claim.name == "Lamp (2)"
    assert claim.heard("Lamp", "zzz.local.", 0.0) is Decision.IGNORE
    assert claim.heard("Lamp (2)", claim.host.lower(), 0.0) is Decision.IGNORE  # our own voice
    assert claim.heard("LAMP (2)", "zzz.local.", 0.0) is Decision.YIELD  # names have no case


def test_who_shouts_is_answered_once() -> None:
    """Each answer takes more than a second, and others would pile up behind it."""
    low, high = _claim("AA:00:00:00:00:01"), _claim("AA:00:00:00:00:02")
    told = [low.heard(high.name, high.host, 10.0 + at / 100) for at in range(1000)]
    assert told.count(Decision.YIELD) == 1
    assert told.count(Decision.IGNORE) == 999
    told = [high.heard(low.name, low.host, 10.0 + at / 100) for at in range(1000)]
    assert (told.count(Decision.DEFEND), told.count(Decision.YIELD)) == (1, 1)
