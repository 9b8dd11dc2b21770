"""Law 10: what must survive is stored before the bytes that acknowledge it leave, at every single step."""

from __future__ import annotations

import pytest
from tests.core.accessory_rig import TLV8, Draws, Rig

from hapcore.engine import Forget, Persist, SendBytes
from hapcore.pairing.pairings import encode_add, encode_remove
from hapcore.pairing.setup import PairSetupController

KEY = bytes(31) + b"\x01"


def wrong_code(rig: Rig) -> None:
    line = rig.line()
    setup = PairSetupController(Draws())
    setup.receive_m2(line.ask("POST", "/pair-setup", setup.m1(), TLV8).body)
    line.ask("POST", "/pair-setup", setup.m3("111-22-333"), TLV8)


def pair(rig: Rig) -> None:
    rig.line().pair()


def add(rig: Rig) -> None:
    rig.session().tlv("/pairings", encode_add(b"other", KEY, False))


def remove_the_last(rig: Rig) -> None:
    identifier = rig.pairing().controller_id.encode()
    rig.session().tlv("/pairings", encode_remove(identifier))


@pytest.mark.parametrize(
    ("act", "stored"),
    [
        (wrong_code, lambda state: state.get("attempts") == b"1"),
        (pair, lambda state: any(key.startswith("pairing/") for key in state)),
        (add, lambda state: f"pairing/{b'other'.hex()}" in state),
        (remove_the_last, lambda state: not any(key.startswith("pairing/") for key in state)),
    ],
)
def test_the_store_is_up_to_date_when_the_answer_leaves(act, stored) -> None:
    rig = Rig()
    act(rig)
    last = [one for one in rig.outputs if isinstance(one, Persist | Forget | SendBytes)]
    assert isinstance(last[-1], SendBytes)
    assert isinstance(last[-2], Persist | Forget), "nothing was stored before the answer"
    assert stored(rig.state)


def test_nothing_leaves_while_the_store_is_busy() -> None:
    """The engine gives the effect out and then nothing until it is polled again."""
    rig = Rig()
    line = rig.line()
    setup = PairSetupController(Draws())
    setup.receive_m2(line.ask("POST", "/pair-setup", setup.m1(), TLV8).body)
    m5 = setup.m5(line.ask("POST", "/pair-setup", setup.m3("031-45-154"), TLV8).body)
    from hapcore.codec.http import write_request

    rig.server.receive_data(line.connection, write_request("POST", "/pair-setup", "h", TLV8, m5), rig.now)
    outputs = []
    while not isinstance(output := rig.server.poll(), Persist):
        outputs.append(output)
    assert not any(isinstance(one, SendBytes) for one in outputs)
    assert not rig.server.paired
    assert isinstance(rig.server.poll(), SendBytes)
    assert rig.server.paired
