"""The home: pairing is stored before it is told, undone where it cannot be stored, and never left half done."""

from __future__ import annotations

import pytest
from tests.core.home_rig import CODE, Lamp, Rig

from hapcore.engine import CloseConnection, Effect, Persist, SendBytes
from hapcore.errors import Disconnected, EffectFailed, LocalProtocolError, PairingRefused, Refused, TimedOut
from hapcore.home import Ask, CancelPairing, Close, Connect, FinishPairing, IdentifyAt, StartPairing
from hapcore.home.visits import UNDO_LIMIT
from hapcore.ip.accessory import IdentifyRequested
from hapcore.ip.controller import Read
from hapcore.ip.controller.connection import PAIRING_TIMEOUT
from hapcore.setup_code import SetupCode

HERE = ("192.0.2.7", 5001)
WRONG = SetupCode("031-45-155")
RIGHT = SetupCode(CODE)


def town() -> tuple[Rig, Lamp]:
    rig, lamp = Rig(), Lamp()
    rig.hosts[HERE] = lamp
    return rig, lamp


def started(rig: Rig, alias: str = "lamp") -> StartPairing:
    start = StartPairing("192.0.2.7:5001", alias)
    assert rig.ask(start) is None
    return start


def test_the_record() -> None:
    rig, lamp = town()
    rig.hosts["192.0.2.6", 5001] = "refused"
    start = StartPairing(lamp.found(5001, "192.0.2.6", "192.0.2.7"), "lamp")
    rig.ask(start)
    assert rig.ask(FinishPairing(start, RIGHT)) == "lamp"
    record = rig.home.record("lamp")
    assert record.name == "Desk lamp"
    assert record.addresses == ("192.0.2.6", "192.0.2.7")
    assert record.port == 5001
    assert record.pairing.accessory_id == lamp.server.device_id
    assert rig.table == {"lamp": record.encode()}
    assert not rig.wires


def test_stored_before_it_is_told() -> None:
    rig, _ = town()
    start = started(rig)
    order: list[object] = []
    rig.before = lambda effect: order.append((type(effect), bool(rig.home.aliases)))
    number = rig.submit(FinishPairing(start, RIGHT))
    assert number in rig.replies
    assert (Persist, False) in order
    assert order[-1] == (CloseConnection, True)
    assert rig.home.aliases == ("lamp",)


def test_a_wrong_code_and_another_one() -> None:
    rig, lamp = town()
    start = started(rig)
    for _ in range(2):
        with pytest.raises(PairingRefused):
            rig.ask(FinishPairing(start, WRONG))
    assert rig.ask(FinishPairing(start, RIGHT)) == "lamp"
    assert lamp.server.paired
    with pytest.raises(Disconnected, match="the connection is closed"):
        rig.ask(FinishPairing(start, RIGHT))
    rig.ask(CancelPairing(start))


def test_paired_with_somebody_else() -> None:
    rig, _ = town()
    rig.pair()
    with pytest.raises(PairingRefused):
        rig.ask(StartPairing("192.0.2.7:5001", "again"))
    assert not rig.wires


def test_nobody_there() -> None:
    rig, lamp = town()
    rig.hosts.clear()
    with pytest.raises(Disconnected, match=r"192\.0\.2\.1, port 5001: refused; .*192\.0\.2\.2, port 5001: refused"):
        rig.ask(StartPairing(lamp.found(5001, "192.0.2.1", "192.0.2.2"), "lamp"))
    with pytest.raises(Disconnected, match="announces no address"):
        rig.ask(StartPairing(lamp.found(5001), "lamp"))


def test_one_name_for_one_pairing() -> None:
    rig, _ = town()
    start = started(rig)
    with pytest.raises(LocalProtocolError, match="being made already"):
        rig.submit(StartPairing("192.0.2.7:5001", "lamp"))
    rig.ask(CancelPairing(start))
    start = started(rig)
    rig.ask(FinishPairing(start, RIGHT))
    with pytest.raises(LocalProtocolError, match="there is a pairing called 'lamp' already"):
        rig.submit(StartPairing("192.0.2.7:5001", "lamp"))


def test_steps_one_after_the_other() -> None:
    rig, lamp = town()
    lamp.mute = True
    start = StartPairing("192.0.2.7:5001", "lamp")
    rig.submit(start)
    with pytest.raises(LocalProtocolError, match="under way"):
        rig.submit(FinishPairing(start, RIGHT))
    rig.ask(CancelPairing(start))
    lamp.mute = False
    start = started(rig)
    lamp.mute = True
    rig.submit(FinishPairing(start, RIGHT))
    with pytest.raises(LocalProtocolError, match="under way"):
        rig.submit(FinishPairing(start, RIGHT))


def test_the_connection_ends_while_somebody_looks_for_the_code() -> None:
    rig, _ = town()
    start = started(rig)
    rig.cut()
    with pytest.raises(Disconnected):
        rig.ask(FinishPairing(start, RIGHT))
    rig.ask(CancelPairing(start))
    rig.pair()


@pytest.mark.parametrize("step", range(3))
def test_cancelled_in_the_first_half(step: int) -> None:
    rig, lamp = town()
    start = StartPairing("192.0.2.7:5001", "lamp")
    if step == 0:
        rig.hosts[HERE] = "hole"
    lamp.mute = step == 1
    number = rig.submit(start)
    assert (number in rig.replies) is (step == 2)
    rig.ask(CancelPairing(start))
    if step < 2:
        with pytest.raises(Disconnected, match="the connection was closed"):
            rig.result(number)
    assert not rig.wires
    assert rig.home.next_timeout() is None
    lamp.mute, rig.hosts[HERE] = False, lamp
    rig.pair()


@pytest.mark.parametrize("command", [CancelPairing, Close], ids=["cancelled", "closed"])
def test_let_go_of_while_it_is_being_stored(command: type) -> None:
    rig, lamp = town()
    start = started(rig)

    def meanwhile(effect: Effect) -> None:
        if isinstance(effect, Persist):
            rig.home.submit(Close() if command is Close else CancelPairing(start), rig.now)

    rig.before = meanwhile
    assert rig.ask(FinishPairing(start, RIGHT)) == "lamp"
    assert rig.home.aliases == ("lamp",)
    assert lamp.server.paired
    assert not rig.wires


def test_cancelled_while_the_accessory_computes() -> None:
    rig, lamp = town()
    start = started(rig)

    def meanwhile(effect: Effect) -> None:
        if isinstance(effect, SendBytes):
            rig.home.submit(CancelPairing(start), rig.now)

    rig.before = meanwhile
    assert rig.ask(FinishPairing(start, RIGHT)) == "lamp"  # the accessory may know us already: it is finished
    assert not rig.wires
    assert lamp.server.paired


def test_closed_while_the_accessory_computes() -> None:
    rig, lamp = town()
    start = started(rig)
    lamp.mute = True
    number = rig.submit(FinishPairing(start, RIGHT))
    rig.ask(Close())
    with pytest.raises(Disconnected):
        rig.result(number)
    assert not rig.wires


def test_what_cannot_be_stored_is_undone() -> None:
    rig, lamp = town()
    start = started(rig)
    rig.fault = OSError("disk full")
    with pytest.raises(EffectFailed, match="could not store lamp: disk full") as failure:
        rig.ask(FinishPairing(start, RIGHT))
    assert failure.value.cause is rig.fault
    assert not hasattr(rig.fault, "__notes__")
    assert not lamp.server.paired
    assert rig.home.aliases == ()
    assert not rig.wires
    rig.fault = None
    rig.pair()


@pytest.mark.parametrize("how", ["cut", "mute", "closed"])
def test_what_cannot_be_undone_is_said(how: str) -> None:
    rig, lamp = town()
    start = started(rig)
    rig.fault = OSError("disk full")

    def fail(effect: Effect) -> None:
        if isinstance(effect, Persist):
            if how == "cut":
                for number, (_, theirs) in list(rig.wires.items()):
                    del rig.wires[number]
                    lamp.server.receive_eof(theirs, rig.now)
                    rig.home.receive_eof(number, rig.now)
            elif how == "mute":
                lamp.mute = True
            else:
                rig.home.submit(Close(), rig.now)

    rig.before = fail
    number = rig.submit(FinishPairing(start, RIGHT))
    if how == "mute":
        assert number not in rig.replies
        rig.pass_time(UNDO_LIMIT - 0.1)
        assert number not in rig.replies
        rig.pass_time(0.2)
    with pytest.raises(EffectFailed):
        rig.result(number)
    (note,) = rig.fault.__notes__
    assert "reset it" in note
    assert not rig.wires
    assert rig.home.aliases == ()


def test_an_accessory_that_falls_silent() -> None:
    rig, lamp = town()
    start = started(rig)
    lamp.mute = True
    number = rig.submit(FinishPairing(start, RIGHT))
    rig.pass_time(PAIRING_TIMEOUT + 0.1)
    with pytest.raises(TimedOut):
        rig.result(number)
    assert not rig.wires


def test_identifying() -> None:
    rig, lamp = town()
    blinked: list[object] = []
    server_poll = lamp.server.poll

    def poll() -> object:
        output = server_poll()
        if isinstance(output, IdentifyRequested):
            blinked.append(output)
        return output

    lamp.server.poll = poll  # type: ignore[method-assign,assignment]
    rig.ask(IdentifyAt("192.0.2.7:5001"))
    assert len(blinked) == 1
    assert not rig.wires
    rig.pair()
    with pytest.raises(Refused):
        rig.ask(IdentifyAt("192.0.2.7:5001"))
    assert not rig.wires
    rig.hosts.clear()
    with pytest.raises(Disconnected):
        rig.ask(IdentifyAt("192.0.2.7:5001"))


def test_storing_holds_up_what_comes_after_it_only() -> None:
    """Two pairings at a time: each is told after its own record is stored."""
    rig, lamp = town()
    other = Lamp(seed=2)
    rig.hosts["192.0.2.8", 5001] = other
    first, second = started(rig), StartPairing("192.0.2.8:5001", "other")
    rig.ask(second)
    rig.ask(FinishPairing(second, RIGHT))
    rig.ask(FinishPairing(first, RIGHT))
    assert set(rig.table) == {"lamp", "other"}
    for alias, one in (("lamp", lamp), ("other", other)):
        assert rig.ask(Ask(alias, Read([one.on])))[one.on].value is False
    assert len([effect for effect in rig.effects if isinstance(effect, Connect)]) == 4
