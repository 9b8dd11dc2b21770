"""An accessory with a display: what its engines say, over the network and over Bluetooth LE, and who shows it."""

from __future__ import annotations

import asyncio

import pytest
from tests.core import accessory_rig, ble_rig
from tests.core.accessory_rig import TLV8, Draws
from tests.core.test_accessory_pairing import try_code

from hapcore.accessory.config import Config
from hapcore.accessory.display import Display
from hapcore.accessory.events import HideSetupCode, PairingAdded, SetupAttemptFailed, ShowSetupCode
from hapcore.codec.tlv8 import decode
from hapcore.engine import SendBytes
from hapcore.errors import LocalProtocolError
from hapcore.pairing.setup import PairSetupController
from hapcore.setup_code import SetupPayload

M1 = bytes.fromhex("000100060101")


def rig_of(**settings):
    return accessory_rig.Rig(display=True, setup_code=None, **settings)


def said(rig):
    """What there was to be shown."""
    return [type(one) for one in rig.outputs if isinstance(one, ShowSetupCode | HideSetupCode)]


def test_shown_before_the_answer_and_hidden_before_it_is_paired():
    rig = rig_of()
    line = rig.line()
    with pytest.raises(LocalProtocolError, match="while somebody pairs"):
        _ = rig.server.setup_code
    assert rig.server.setup_payload.code is None
    setup = PairSetupController(Draws("phone"))
    rig.outputs.clear()
    setup.receive_m2(line.ask("POST", "/pair-setup", setup.m1(), TLV8).body)
    assert [type(one) for one in rig.outputs] == [ShowSetupCode, SendBytes]
    (shown,) = rig.said(ShowSetupCode)
    assert rig.server.setup_code == shown.code
    assert SetupPayload.parse(shown.payload.uri()) == rig.server.setup_payload == shown.payload
    assert shown.payload.setup_id == rig.server.setup_payload.setup_id
    m4 = line.ask("POST", "/pair-setup", setup.m3(shown.code.text), TLV8).body
    assert said(rig) == [ShowSetupCode]
    setup.finish(line.ask("POST", "/pair-setup", setup.m5(m4), TLV8).body)
    assert said(rig) == [ShowSetupCode, HideSetupCode]
    assert rig.said(PairingAdded)
    assert shown.code.text not in repr(rig.outputs)


def test_no_other_code_is_good():
    rig = accessory_rig.Rig(display=True)  # it has a code for its label, too
    assert try_code(rig.line(), accessory_rig.CODE.text) == {6: b"\x04", 7: b"\x02"}
    assert rig.said(SetupAttemptFailed)[0].failures == 1
    assert said(rig) == [ShowSetupCode, HideSetupCode]


def test_hidden_when_the_phone_goes():
    rig = rig_of()
    line, other = rig.line(), rig.line()
    line.tlv("/pair-setup", M1)
    rig.server.receive_eof(other.connection, rig.now)
    rig.drain()
    assert said(rig) == [ShowSetupCode]
    rig.server.receive_eof(line.connection, rig.now)
    rig.drain()
    assert said(rig) == [ShowSetupCode, HideSetupCode]


def test_hidden_when_the_pairing_cannot_be_stored():
    rig = rig_of()
    line = rig.line()
    setup = PairSetupController(Draws("phone"))
    setup.receive_m2(line.ask("POST", "/pair-setup", setup.m1(), TLV8).body)
    m3 = setup.m3(rig.server.setup_code.text)
    m5 = setup.m5(line.ask("POST", "/pair-setup", m3, TLV8).body)
    rig.store_works = False
    assert line.ask("POST", "/pair-setup", m5, TLV8).status == 500
    assert said(rig) == [ShowSetupCode, HideSetupCode]
    assert not rig.server.paired


def test_a_transient_setup_shows_a_code_too():
    rig = rig_of()
    line = rig.line()
    setup = PairSetupController(Draws("phone"))
    line.ask("POST", "/pair-setup", M1 + bytes.fromhex("130110"), TLV8)
    assert said(rig) == [ShowSetupCode]
    del setup
    assert rig.line().tlv("/pair-setup", M1) == {6: b"\x02", 7: b"\x07"}
    assert said(rig) == [ShowSetupCode]


def _proved(line, flags, code=None):
    """M1 with flags, M3 with what is shown or with `code`; the controller and the flags of M2."""
    setup = PairSetupController(Draws("phone"))
    m2 = line.ask("POST", "/pair-setup", setup.m1() + flags, TLV8).body
    assert setup.receive_m2(m2)
    m4 = line.ask("POST", "/pair-setup", setup.m3(code or line.rig.server.setup_code.text), TLV8).body
    return setup, m4, dict(decode(m2)).get(0x13)


@pytest.mark.parametrize("split", ["1304 00000001", "1304 ef00 0001"])
def test_a_split_setup_over_two_connections(split):
    """The second part takes the code of the first; flags as wide as they come, unknown ones ignored (HAP 4.6)."""
    rig = rig_of()
    first, second = rig.line(), rig.line()
    assert second.tlv("/pair-setup", M1 + bytes.fromhex(split)) == {6: b"\x02", 7: b"\x02"}
    _, _, echoed = _proved(first, bytes.fromhex("130410000001"))
    assert echoed == bytes.fromhex("10000001")
    (shown,) = rig.said(ShowSetupCode)
    assert said(rig) == [ShowSetupCode, HideSetupCode]
    assert not first.closed
    setup, m4, echoed = _proved(second, bytes.fromhex(split), shown.code.text)
    assert first.closed  # a new pair-setup ends transient sessions
    assert echoed == bytes.fromhex("00000001")
    setup.finish(second.ask("POST", "/pair-setup", setup.m5(m4), TLV8).body)
    assert rig.server.paired
    assert [one.code for one in rig.said(ShowSetupCode)] == [shown.code, shown.code]


def test_transient_flags_of_any_width():
    for flags in ("130110", "13021000", "130410000000"):
        rig = rig_of()
        line = rig.line()
        _, _, echoed = _proved(line, bytes.fromhex(flags))
        assert echoed is None
        line.sealer = None
    assert rig_of().line().ask("POST", "/pair-setup", M1 + bytes.fromhex("13051000000000"), TLV8).status == 400


def test_nothing_is_shown_without_a_display():
    rig = accessory_rig.Rig()
    rig.line().pair()
    assert said(rig) == []


def test_locked_says_so():
    rig = rig_of(state={"attempts": b"99"})
    line = rig.line()
    assert try_code(line, "111-22-333") == {6: b"\x04", 7: b"\x02"}
    (failed,) = rig.said(SetupAttemptFailed)
    assert (failed.failures, failed.locked) == (100, True)
    assert not SetupAttemptFailed(99, 100).locked
    assert line.tlv("/pair-setup", M1) == {6: b"\x02", 7: b"\x05"}
    # Nobody is shown a code that cannot be used.
    assert said(rig) == [ShowSetupCode, HideSetupCode]


def test_over_bluetooth():
    rig = ble_rig.Rig(people=(), config=Config(name="Bench", category=5, display=True))
    central = rig.connect()
    run = PairSetupController(ble_rig.Draws(), expected_id=ble_rig.DEVICE_ID)
    _, m2 = central.message(ble_rig.SETUP, run.m1())
    run.receive_m2(m2)
    (shown,) = rig.told(ShowSetupCode)
    assert (shown.payload.ip, shown.payload.ble) == (False, True)
    assert rig.engine.setup_code == shown.code
    _, m4 = central.message(ble_rig.SETUP, run.m3(shown.code.text))
    assert not rig.told(HideSetupCode)
    _, m6 = central.message(ble_rig.SETUP, run.m5(m4))
    run.finish(m6)
    assert len(rig.told(HideSetupCode)) == 1
    assert rig.engine.paired


def test_over_bluetooth_a_lost_link_hides_it():
    rig = ble_rig.Rig(people=(), config=Config(name="Bench", category=5, display=True))
    central = rig.connect()
    central.message(ble_rig.SETUP, M1)
    assert not rig.told(HideSetupCode)
    central.close()
    assert len(rig.told(HideSetupCode)) == 1
    with pytest.raises(LocalProtocolError):
        _ = rig.engine.setup_code


class Screen:
    """What a display has been told, one call at a time."""

    def __init__(self):
        self.told = []
        self.calls = 0
        self.complaints = []

    async def show(self, code):
        assert self.calls == 0
        self.calls += 1
        await asyncio.sleep(0)
        self.told.append(code)
        self.calls -= 1
        if code == "broken":
            raise RuntimeError("no screen")


def test_a_slow_display_is_told_one_thing_after_the_other_and_the_latest_last():
    screen = Screen()
    display = Display(screen.show, screen.complaints.append)

    async def wait(display, awaited):
        while awaited is not None:
            try:
                result = await awaited
            except RuntimeError as error:
                awaited = display.raised(error)
            else:
                awaited = display.returned(result)

    async def main():
        waiting = []
        for code in ("1", "2", None, "broken", "3", "4"):
            waiting += [wait(*one) for one in display.want(code).begin()]
        assert len(waiting) == 1
        await waiting[0]
        await asyncio.gather(*[wait(*one) for one in display.want("broken").begin()])
        await asyncio.gather(*[wait(*one) for one in display.want(None).begin()])

    asyncio.run(main())
    assert screen.told == ["1", "4", "broken", None]
    assert [str(one) for one in screen.complaints] == ["no screen"]


def test_a_plain_function_that_fails_is_complained_of():
    complaints = []

    def show(code):
        raise ValueError(code)

    display = Display(show, complaints.append)
    assert display.want("031-45-154").begin() == []
    assert display.want(None).begin() == []
    assert len(complaints) == 2
