"""The home: pairing is stored before it is told, undone where it cannot be stored, and never left half done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.core.home_rig import CODE, Lamp, Rig

from hapcore.engine import CloseConnection, ConnectionId, Effect, Persist, SendBytes
from hapcore.errors import (
    Disconnected,
    EffectFailed,
    LocalProtocolError,
    PairingRefused,
    Refused,
    StateError,
    TimedOut,
)
from hapcore.home import Ask, CancelPairing, Close, Connect, FinishPairing, IdentifyAt, Remove, StartPairing
from hapcore.home.visits import UNDO_LIMIT
from hapcore.ip.accessory import IdentifyRequested
from hapcore.ip.controller import Read
from hapcore.ip.controller.connection import PAIRING_TIMEOUT
from hapcore.pairing.records import ControllerIdentity, HalfPairing, new_controller_identity
from hapcore.setup_code import SetupCode
from hapcore.state import PairedAccessory, PreparedPairing
from hapcore.testing.chance import seeded_entropy

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


def identity_of(rig: Rig, alias: str) -> ControllerIdentity:
    pairing = rig.home.record(alias).pairing
    return ControllerIdentity(pairing.controller_id, pairing.controller_ltsk)


def fails_from(rig: Rig, key: str, fault: OSError) -> Callable[[Effect], None]:
    """From the storing of `key` on, nothing can be stored."""

    def fail(effect: Effect) -> None:
        if isinstance(effect, Persist) and effect.key == key:
            rig.fault = fault

    return fail


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
        if isinstance(effect, Persist) and effect.key == "lamp":
            rig.home.submit(Close() if command is Close else CancelPairing(start), rig.now)

    rig.before = meanwhile
    assert rig.ask(FinishPairing(start, RIGHT)) == "lamp"
    assert rig.home.aliases == ("lamp",)
    assert lamp.server.paired
    assert not rig.wires


def test_closed_while_the_keys_are_being_stored() -> None:
    rig, lamp = town()
    start = started(rig)
    rig.before = lambda effect: isinstance(effect, Persist) and rig.home.submit(Close(), rig.now)
    with pytest.raises(Disconnected, match="the connection is closed") as failure:
        rig.ask(FinishPairing(start, RIGHT))
    assert not hasattr(failure.value, "__notes__")
    assert (rig.table, lamp.server.paired) == ({}, False)


def test_keys_that_cannot_be_stored_are_not_offered() -> None:
    rig, lamp = town()
    start = started(rig)
    rig.fault = OSError("disk full")
    sent: list[Effect] = []
    rig.before = sent.append
    with pytest.raises(EffectFailed, match="could not store lamp: disk full"):
        rig.ask(FinishPairing(start, RIGHT))
    assert not any(isinstance(effect, SendBytes) for effect in sent)
    assert not lamp.server.paired


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
    full = OSError("disk full")
    rig.before = fails_from(rig, "lamp", full)
    with pytest.raises(EffectFailed, match="could not store lamp: disk full") as failure:
        rig.ask(FinishPairing(start, RIGHT))
    assert failure.value.cause is full
    assert not hasattr(full, "__notes__")
    assert not lamp.server.paired
    assert rig.home.aliases == ()
    assert rig.home.prepared == ()
    assert not rig.wires
    rig.before, rig.fault = lambda _: None, None
    rig.pair()


@pytest.mark.parametrize("how", ["cut", "mute", "closed"])
def test_what_cannot_be_undone_is_said(how: str) -> None:
    rig, lamp = town()
    start = started(rig)
    full = OSError("disk full")
    fails = fails_from(rig, "lamp", full)

    def fail(effect: Effect) -> None:
        fails(effect)
        if isinstance(effect, Persist) and effect.key == "lamp":
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
    (note,) = full.__notes__
    assert "pair it again" in note
    assert not rig.wires
    assert rig.home.aliases == ()
    again = Rig(rig.table)
    again.hosts, lamp.mute = rig.hosts, False
    again.pair()
    assert set(again.table) == {"lamp"}


def crash(after: int) -> tuple[Rig, Lamp]:
    """A home that stops for ever after so many pieces of data were sent in the second half of a pairing."""
    rig, lamp = town()
    start = started(rig)
    sent = 0
    kept: list[dict[str, bytes]] = []

    def count(effect: Effect) -> None:
        nonlocal sent
        if isinstance(effect, SendBytes):
            if sent == after and not kept:
                kept.append(dict(rig.table))
                rig.cut()
            sent += 1

    rig.before = count
    number = rig.submit(FinishPairing(start, RIGHT))
    if not kept:
        kept.append(dict(rig.table))
        rig.cut()
    del number
    again = Rig(kept[0], seed="again")
    again.hosts = rig.hosts
    return again, lamp


def test_a_half_made_pairing_is_taken_back_and_made_anew() -> None:
    """The accessory has stored it, and its answer never came."""
    rig, lamp = town()
    start = started(rig)
    receive = rig.home.receive_data

    def deaf(connection: ConnectionId, data: bytes, now: float) -> None:
        if not lamp.server.paired:
            receive(connection, data, now)

    rig.home.receive_data = deaf  # type: ignore[method-assign]
    number = rig.submit(FinishPairing(start, RIGHT))
    assert lamp.server.paired
    rig.cut()
    with pytest.raises(Disconnected) as failure:
        rig.result(number)
    assert any("pair it again under this name" in note for note in failure.value.__notes__)
    assert not any("reset it" in note for note in failure.value.__notes__)
    again = Rig(rig.table, seed="again")
    again.hosts = rig.hosts
    assert [(one.alias, one.begun) for one in again.home.prepared] == [("lamp", True)]
    with pytest.raises(LocalProtocolError, match="was begun and never ended"):
        again.home.record("lamp")
    again.pair()
    assert list(again.table) == ["lamp"]
    assert again.home.prepared == ()
    assert len(lamp.server.pairings) == 1
    assert again.ask(Ask("lamp", Read([lamp.on])))


def test_a_half_made_pairing_is_found_under_whatever_name_the_next_has() -> None:
    rig, lamp = town()
    rig.pair()
    half = PreparedPairing("old", identity_of(rig, "lamp"), begun=True)
    again = Rig({half.key: half.encode()}, seed="again")
    again.hosts = rig.hosts
    again.pair(alias="new")
    assert list(again.table) == ["new"]
    assert len(lamp.server.pairings) == 1


def test_who_is_paired_with_somebody_else_stays_so() -> None:
    rig, lamp = town()
    rig.pair()
    half = PreparedPairing("lamp", new_controller_identity(seeded_entropy("other")), begun=True)
    again = Rig({half.key: half.encode()}, seed="again")
    again.hosts = rig.hosts
    with pytest.raises(PairingRefused) as failure:
        again.ask(StartPairing("192.0.2.7:5001", "lamp"))
    assert failure.value.error == 6
    assert again.table == {half.key: half.encode()}
    assert len(lamp.server.pairings) == 1
    assert not again.wires


def test_keys_that_another_is_to_add_are_no_half_made_pairing() -> None:
    rig, lamp = town()
    rig.pair()
    waiting = PreparedPairing("other", identity_of(rig, "lamp"))
    again = Rig({waiting.key: waiting.encode()}, seed="again")
    again.hosts = rig.hosts
    with pytest.raises(PairingRefused):
        again.ask(StartPairing("192.0.2.7:5001", "lamp"))
    assert lamp.server.paired


def test_a_half_made_pairing_is_removed_by_name() -> None:
    half = PreparedPairing("lamp", new_controller_identity(seeded_entropy("other")), begun=True)
    rig = Rig({half.key: half.encode()})
    rig.ask(Remove("lamp"))
    assert rig.table == {}


def test_half_a_pairing_proves_nothing_of_the_accessory() -> None:
    """It is of no use where somebody is to be trusted: it has no key to check by, and no form in a file."""
    half = HalfPairing.of(new_controller_identity(seeded_entropy("other")))
    assert (half.accessory_id, half.accessory_ltpk) == ("", b"")
    with pytest.raises(StateError):
        PairedAccessory.decode("lamp", PairedAccessory("lamp", half).encode())


@pytest.mark.parametrize("after", range(4))
def test_whenever_it_crashes_it_can_be_paired_again(after: int) -> None:
    again, lamp = crash(after)
    if again.home.aliases:
        assert again.ask(Ask("lamp", Read([lamp.on])))
        return
    again.pair()
    assert list(again.table) == ["lamp"]
    assert len(lamp.server.pairings) == 1


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
