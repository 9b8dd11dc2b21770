"""Why a pairing was refused, in words that say what to do."""

from __future__ import annotations

import pytest
from attrs import evolve
from tests.core.home_rig import Lamp, Rig

from hapcore.codec import tlv8
from hapcore.discovery import DiscoveredAccessory, FeatureFlags, StatusFlags, Transport
from hapcore.errors import PairingRefused
from hapcore.home import StartPairing
from hapcore.home.target import Target
from hapcore.pairing.items import Item, Method, State, TlvErrorCode, read_answer, refusal

FOUND = DiscoveredAccessory(
    "Lamp", "11:22:33:44:55:66", ("192.0.2.7",), 5001, "L1", 5, 1, 1, FeatureFlags(0), StatusFlags(1), None, "1.1"
)


@pytest.mark.parametrize(
    ("error", "step", "words"),
    [
        (TlvErrorCode.UNKNOWN, State.M2, ["no reason", "other method"]),
        (TlvErrorCode.UNKNOWN, State.M4, ["no reason"]),
        (TlvErrorCode.AUTHENTICATION, State.M2, ["certified (MFi) controllers only", "other method"]),
        (TlvErrorCode.AUTHENTICATION, State.M4, ["the setup code is wrong", "start again"]),
        (TlvErrorCode.AUTHENTICATION, State.M6, ["did not accept the key", "start again"]),
        (TlvErrorCode.BACKOFF, State.M2, ["wants a pause"]),
        (TlvErrorCode.MAX_PEERS, State.M6, ["no room for another pairing", "remove one"]),
        (TlvErrorCode.MAX_TRIES, State.M2, ["too many wrong codes", "off and on", "factory settings", "this library"]),
        (TlvErrorCode.UNAVAILABLE, State.M2, ["paired already", "one of its admins", "reset"]),
        (TlvErrorCode.BUSY, State.M2, ["another controller", "half a minute"]),
    ],
)
def test_every_refusal(error: TlvErrorCode, step: State, words: list[str]) -> None:
    with pytest.raises(PairingRefused) as caught:
        read_answer(refusal(step, error), step, "pair-setup")
    text = str(caught.value)
    assert text.startswith(f"pair-setup was refused in {step.name}: ")
    for word in words:
        assert word in text
    assert "to wait" not in text
    assert "\n" not in text


def test_who_may_not_ask_about_pairings() -> None:
    with pytest.raises(PairingRefused, match=r"^the request about pairings was refused in M2: only an admin may see"):
        read_answer(refusal(State.M2, TlvErrorCode.AUTHENTICATION), State.M2, "pairings")


@pytest.mark.parametrize("error", [TlvErrorCode.BACKOFF, TlvErrorCode.BUSY])
def test_the_time_to_wait(error: TlvErrorCode) -> None:
    items = [(Item.STATE, b"\2"), (Item.ERROR, bytes((error,))), (Item.RETRY_DELAY, b"\x2c\x01")]
    with pytest.raises(PairingRefused, match=r"it asks to wait 300 s$") as caught:
        read_answer(tlv8.encode(items), State.M2, "pair-setup")
    assert caught.value.retry_delay == 300


@pytest.mark.parametrize(
    ("features", "method", "chosen"),
    [
        (0, None, Method.PAIR_SETUP),
        (1, None, Method.PAIR_SETUP_WITH_AUTH),
        (2, None, Method.PAIR_SETUP),
        (3, None, Method.PAIR_SETUP_WITH_AUTH),
        (0, Method.PAIR_SETUP_WITH_AUTH, Method.PAIR_SETUP_WITH_AUTH),
        (1, Method.PAIR_SETUP, Method.PAIR_SETUP),
    ],
)
def test_the_method(features: int, method: Method | None, chosen: Method) -> None:
    target = Target.of(evolve(FOUND, feature_flags=FeatureFlags(features)), method)
    assert target.start.method is chosen
    assert Target.of(target) is target


def test_the_method_of_who_is_not_announced() -> None:
    for where in ("192.0.2.7:5001", "11:22:33:44:55:66", evolve(FOUND, transport=Transport.BLE)):
        assert Target.of(where).start.method is None
        assert Target.of(where, Method.PAIR_SETUP_WITH_AUTH).start.method is Method.PAIR_SETUP_WITH_AUTH


@pytest.mark.parametrize(
    ("status", "features", "words"),
    [
        (0, 0, []),
        (1, 3, []),
        (3, 0, ["Wi-Fi"]),
        (4, 0, ["a problem of its own"]),
        (1, 2, ["certified controllers only"]),
        (6, 2, ["Wi-Fi", "problem", "certified"]),
    ],
)
def test_what_its_announcement_tells(status: int, features: int, words: list[str]) -> None:
    found = evolve(FOUND, status_flags=StatusFlags(status), feature_flags=FeatureFlags(features))
    advice = Target.of(found).advice
    assert bool(advice) is bool(words)
    for word in words:
        assert word in advice
    rig, lamp = Rig(), Lamp()
    rig.hosts["192.0.2.7", 5001] = lamp
    rig.pair("192.0.2.7:5001")
    with pytest.raises(PairingRefused, match="paired already") as caught:
        rig.ask(StartPairing(found, "again"))
    assert getattr(caught.value, "__notes__", []) == ([advice] if words else [])
