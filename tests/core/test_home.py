"""The home: paired accessories are connected, verified and found again when a command needs them."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from tests.core.home_rig import Lamp, Rig

from hapcore.controller.events import CharacteristicChanged, SessionClosed
from hapcore.discovery import Gone
from hapcore.engine import CloseConnection, Persist, SendBytes
from hapcore.errors import (
    AccessoryChanged,
    Disconnected,
    EffectFailed,
    LocalProtocolError,
    PairingRefused,
    Refused,
    StateError,
    TimedOut,
    ValueRefused,
)
from hapcore.home import (
    Adopt,
    Ask,
    Browse,
    Close,
    Connect,
    Disconnect,
    Discover,
    Find,
    Follow,
    Home,
    IdentifyAt,
    NotStored,
    Remove,
    StartPairing,
    Stop,
    StopBrowsing,
    Told,
)
from hapcore.home.home import MAX_UNDER_WAY
from hapcore.home.link import CONNECT_LIMIT, MAX_LINKS
from hapcore.home.residents import LOOK_UP_LIMIT
from hapcore.home.seeking import MAX_FOUND
from hapcore.ip.accessory import UpdateValues
from hapcore.ip.controller import (
    CharacteristicWrite,
    Connection,
    GetAccessories,
    ListPairings,
    Read,
    RemovePairing,
    State,
    Subscribe,
    Unsubscribe,
    Write,
)
from hapcore.ip.controller.connection import PAIRING_TIMEOUT, REQUEST_TIMEOUT
from hapcore.pairing.keylog import SessionKeysMade

HERE = ("192.0.2.7", 5001)
THERE = ("192.0.2.8", 5001)


def paired(**options: Any) -> tuple[Rig, Lamp]:
    rig, lamp = Rig(**options), Lamp()
    rig.hosts[HERE] = lamp
    rig.pair()
    return rig, lamp


def read(lamp: Lamp, **options: Any) -> Ask[Any]:
    return Ask("lamp", Read([lamp.on]), **options)


def connects(rig: Rig) -> list[tuple[str, int]]:
    return [effect.address for effect in rig.effects if isinstance(effect, Connect)]


def moved_to(rig: Rig, *addresses: str) -> None:
    rig.ask(Adopt(evolve(rig.home.record("lamp"), addresses=addresses)))


# --- connecting -------------------------------------------------------------------------------------------------------


def test_a_command_connects_verifies_and_learns_first() -> None:
    rig, lamp = paired()
    assert not rig.home.is_connected("lamp")
    assert rig.ask(read(lamp))[lamp.on].value is False
    assert rig.home.is_connected("lamp")
    assert not rig.home.is_connected("lamp", "192.0.2.7:5001")
    before = len(rig.effects)
    assert rig.ask(read(lamp))[lamp.on].value is False
    (sent,) = rig.effects[before:]  # the second time it is one request
    assert isinstance(sent, SendBytes)


def test_many_commands_need_one_connection_and_one_database() -> None:
    rig, lamp = paired(discovery=False)
    lamp.mute = True
    numbers = [rig.submit(read(lamp)) for _ in range(20)]
    numbers.append(rig.submit(Ask("lamp", ListPairings())))
    assert len(rig.wires) == 1
    lamp.mute = False
    rig.cut()
    for number in numbers:
        with pytest.raises(Disconnected):
            rig.result(number)

    before = len(connects(rig))
    rig.hosts[HERE] = "hole"
    numbers = [rig.submit(read(lamp)) for _ in range(20)]
    rig.wires[rig.effects[-1].connection] = lamp, lamp.server.connection_opened(rig.now)
    rig.home.connected(rig.effects[-1].connection, rig.now)
    rig.run()
    assert [rig.result(number)[lamp.on].value for number in numbers] == [False] * 20
    assert len(connects(rig)) == before + 1


def test_a_lost_connection_is_made_again_with_what_was_learnt() -> None:
    rig, lamp = paired()
    rig.ask(read(lamp))
    rig.cut()
    assert not rig.home.is_connected("lamp")
    assert any(isinstance(one, Told) and isinstance(one.event, SessionClosed) for one in rig.events)
    before = len(rig.effects)
    rig.ask(read(lamp))
    sent = [effect for effect in rig.effects[before:] if isinstance(effect, SendBytes)]
    assert len(sent) == 3  # M1, M3 and the read: the database is known


def test_addresses_in_turn() -> None:
    rig, lamp = paired()
    moved_to(rig, "192.0.2.1", "192.0.2.2", "192.0.2.7")
    rig.effects.clear()
    rig.ask(read(lamp))
    assert connects(rig) == [("192.0.2.1", 5001), ("192.0.2.2", 5001), HERE]


def test_nobody_there() -> None:
    rig, lamp = paired(discovery=False)
    rig.hosts.clear()
    with pytest.raises(Disconnected, match=r"cannot connect to 192\.0\.2\.7, port 5001: refused"):
        rig.ask(read(lamp))
    moved_to(rig)
    with pytest.raises(Disconnected, match=r"lamp \(.*\) was not found"):
        rig.ask(read(lamp))
    assert not rig.browsing


def test_a_given_address_is_the_only_one() -> None:
    rig, lamp = paired()
    rig.hosts[THERE], rig.hosts[HERE] = lamp, "refused"
    assert rig.ask(read(lamp, address="192.0.2.8:5001"))[lamp.on].value is False
    assert rig.home.is_connected("lamp", "192.0.2.8:5001")
    assert not rig.home.is_connected("lamp")
    rig.hosts[THERE] = "refused"
    rig.cut()
    with pytest.raises(Disconnected, match=r"192\.0\.2\.8"):
        rig.ask(read(lamp, address="192.0.2.8:5001"))
    assert not any(isinstance(effect, Browse) for effect in rig.effects)


def test_another_accessory_at_the_address() -> None:
    rig, lamp = paired(discovery=False)
    other = Lamp(seed=2)
    rig.hosts[HERE] = other
    with pytest.raises(AccessoryChanged):
        rig.ask(read(lamp))
    assert not rig.wires
    moved_to(rig, "192.0.2.1", "192.0.2.7")
    with pytest.raises(AccessoryChanged) as failure:  # of several failures the telling one
        rig.ask(read(lamp))
    assert failure.value.__notes__ == ["also tried: cannot connect to 192.0.2.1, port 5001: refused"]
    moved_to(rig, "192.0.2.7", "192.0.2.8")
    rig.hosts[THERE] = lamp
    assert rig.ask(read(lamp))[lamp.on].value is False


def test_who_does_not_know_us_any_more_is_asked_once() -> None:
    rig, lamp = paired()
    moved_to(rig, "192.0.2.7", "192.0.2.8")
    rig.ask(Ask("lamp", RemovePairing(rig.home.record("lamp").pairing.controller_id.encode())))
    rig.effects.clear()
    with pytest.raises(PairingRefused):
        rig.ask(read(lamp))
    assert connects(rig) == [HERE]
    assert not rig.wires


def test_an_attempt_nobody_tells_the_end_of() -> None:
    rig, lamp = paired(discovery=False)
    rig.hosts[HERE] = "hole"
    number = rig.submit(read(lamp))
    rig.pass_time(CONNECT_LIMIT - 0.1)
    assert number not in rig.replies
    rig.pass_time(0.2)
    with pytest.raises(Disconnected, match="no answer"):
        rig.result(number)
    # What comes of it later is not wanted any more.
    connection = rig.effects[-1].connection
    assert isinstance(rig.effects[-1], CloseConnection)
    rig.home.connected(connection, rig.now)
    rig.run()
    assert rig.effects[-1] == CloseConnection(connection)
    rig.home.receive_data(connection, b"HTTP/1.1 200 OK\r\n\r\n", rig.now)
    rig.home.receive_eof(connection, rig.now)
    assert rig.home.poll() is None


def test_an_accessory_that_does_not_answer() -> None:
    rig, lamp = paired(discovery=False)
    lamp.mute = True
    number = rig.submit(read(lamp))
    rig.pass_time(PAIRING_TIMEOUT + 0.1)
    with pytest.raises(TimedOut):
        rig.result(number)
    lamp.mute = False
    rig.ask(read(lamp))
    lamp.mute = True
    number = rig.submit(read(lamp))
    rig.pass_time(REQUEST_TIMEOUT + 0.1)
    with pytest.raises(TimedOut):
        rig.result(number)
    assert not rig.home.is_connected("lamp")
    assert rig.home.next_timeout() is None


def test_disconnecting_at_each_step() -> None:
    rig, lamp = paired()
    rig.submit(Disconnect("lamp"))  # nothing is no error
    for step in range(4):
        sent = 0

        def stop(effect: object, step: int = step) -> None:
            nonlocal sent
            if isinstance(effect, Connect | SendBytes):
                sent += 1
                lamp.mute = sent > step
                rig.hosts[HERE] = "hole" if lamp.mute else lamp

        rig.before = stop
        number = rig.submit(read(lamp))
        assert number not in rig.replies
        rig.submit(Disconnect("lamp"))
        with pytest.raises(Disconnected, match="the connection was closed"):
            rig.result(number)
        assert not rig.wires
        rig.before = lambda _: None
        lamp.mute, rig.hosts[HERE] = False, lamp
    assert rig.ask(read(lamp))[lamp.on].value is False


def test_disconnecting_while_it_is_looked_for() -> None:
    rig, lamp = paired()
    rig.hosts.clear()
    number = rig.submit(read(lamp))
    assert rig.browsing
    rig.submit(Disconnect("lamp"))
    with pytest.raises(Disconnected, match="the connection was closed"):
        rig.result(number)
    assert not rig.browsing


def test_the_callers_mistakes() -> None:
    rig, lamp = paired()
    for command in (
        Ask("lump", Read([lamp.on])),
        read(lamp, address="nowhere"),
        Remove("lump"),
        StartPairing("192.0.2.9:1", "lamp"),
        StartPairing("nowhere", "lump"),
        StartPairing("192.0.2.9:1", ""),
        IdentifyAt("nowhere"),
        GetAccessories(),
    ):
        with pytest.raises(LocalProtocolError):
            rig.home.submit(command, rig.now)
    assert rig.home.poll() is None
    for _ in range(2):  # at once, and when the connection is there
        with pytest.raises(ValueRefused, match=r"value: .*1000.* \(characteristic 1\.10\)"):
            rig.ask(Ask("lamp", Write([CharacteristicWrite(lamp.light.brightness.id, 1000)])))
        with pytest.raises(LocalProtocolError):
            rig.ask(Ask("lamp", Read([])))
        rig.ask(read(lamp))


def test_a_damaged_table() -> None:
    with pytest.raises(StateError):
        Home({"lamp": b"{"}, entropy=lambda _, length: bytes(length))


def test_limits() -> None:
    rig, lamp = paired()
    for port in range(1, MAX_LINKS + 1):
        rig.hosts["192.0.2.9", port] = "hole"
        rig.submit(read(lamp, address=f"192.0.2.9:{port}"))
    with pytest.raises(LocalProtocolError, match="in use already"):
        rig.submit(read(lamp, address="192.0.2.9:1001"))
    with pytest.raises(LocalProtocolError, match="connections are open"):
        rig.ask(IdentifyAt("192.0.2.9:1"))
    for _ in range(MAX_UNDER_WAY - MAX_LINKS):
        rig.submit(Find("AA:AA:AA:AA:AA:AA"))
    with pytest.raises(LocalProtocolError, match="under way"):
        rig.submit(Find("AA:AA:AA:AA:AA:AA"))
    rig.submit(Close())
    assert rig.home.next_timeout() is None


def test_a_session_that_was_ended_by_the_accessory_behind_m4() -> None:
    rig, lamp = paired(discovery=False)

    def cut(effect: object) -> None:
        nonlocal sent
        sent += isinstance(effect, SendBytes)
        if sent == 2:  # M3: the end comes together with M4
            number = effect.connection  # type: ignore[attr-defined]
            them, theirs = rig.wires.pop(number)
            them.server.receive_data(theirs, effect.data, rig.now)  # type: ignore[attr-defined]
            while (output := them.server.poll()) is not None:
                if isinstance(output, SendBytes):
                    rig.home.receive_data(number, output.data, rig.now)
            rig.home.receive_eof(number, rig.now)

    sent = 0
    rig.before = cut
    with pytest.raises(Disconnected):
        rig.ask(read(lamp))


# --- finding what has moved -------------------------------------------------------------------------------------------


def test_what_has_moved_is_found_and_remembered() -> None:
    rig, lamp = paired()
    rig.hosts.clear()
    rig.hosts["192.0.2.8", 5002] = lamp
    number = rig.submit(read(lamp))
    assert rig.browsing
    rig.home.receive_discovery(Lamp(seed=2).found(1, "192.0.2.66"), rig.now)
    rig.home.receive_discovery(lamp.found(5002), rig.now)  # the address is not known yet
    rig.home.receive_discovery(Gone("Desk lamp", "AA:AA:AA:AA:AA:AA"), rig.now)
    rig.run()
    assert number not in rig.replies
    rig.home.receive_discovery(lamp.found(5002, "192.0.2.1", "192.0.2.8"), rig.now)
    rig.run()
    assert rig.result(number)[lamp.on].value is False
    assert not rig.browsing
    assert (rig.home.record("lamp").addresses, rig.home.record("lamp").port) == (("192.0.2.1", "192.0.2.8"), 5002)
    again = Rig(rig.table)
    assert again.home.record("lamp") == rig.home.record("lamp")


def test_an_announcement_is_believed_when_it_has_proved_true() -> None:
    rig, lamp = paired()
    record = rig.home.record("lamp")
    rig.hosts.clear()
    rig.hosts["192.0.2.66", 1] = Lamp(seed=2)
    number = rig.submit(read(lamp))
    rig.home.receive_discovery(lamp.found(1, "192.0.2.66"), rig.now)
    rig.run()
    with pytest.raises(AccessoryChanged):
        rig.result(number)
    assert rig.home.record("lamp") == record


def test_not_found_in_time() -> None:
    rig, lamp = paired()
    rig.hosts.clear()
    number = rig.submit(read(lamp))
    rig.pass_time(LOOK_UP_LIMIT + 0.1)
    with pytest.raises(Disconnected, match="refused"):
        rig.result(number)
    assert not rig.browsing


def test_where_it_moved_cannot_be_stored() -> None:
    rig, lamp = paired()
    rig.hosts.clear()
    rig.hosts[THERE] = lamp
    rig.fault = OSError("disk full")
    number = rig.submit(read(lamp))
    rig.home.receive_discovery(lamp.found(*reversed(THERE)), rig.now)
    rig.run()
    assert rig.result(number)[lamp.on].value is False  # it works all the same
    (event,) = [one for one in rig.events if isinstance(one, NotStored)]
    assert event.alias == "lamp"
    assert "disk full" in str(event.error)
    rig.cut()
    rig.effects.clear()
    rig.ask(read(lamp))
    assert connects(rig) == [THERE]


def test_nobody_can_look() -> None:
    rig, lamp = paired()
    rig.hosts.clear()
    number = rig.submit(read(lamp))
    search = rig.submit(Find(lamp.server.device_id))
    rig.submit(Discover("all"))
    (browse,) = [effect for effect in rig.effects if isinstance(effect, Browse)]
    fault = OSError("no such interface")
    rig.home.effect_failed(browse, "no such interface", rig.now, cause=fault)
    rig.run()
    for one in (number, search):
        with pytest.raises(EffectFailed, match="no such interface") as failure:
            rig.result(one)
        assert failure.value.cause is fault
    assert isinstance(rig.ended["all"], EffectFailed)
    rig.browsing = False
    rig.submit(Find(lamp.server.device_id))  # and it may be tried again
    assert rig.browsing


# --- looking around ---------------------------------------------------------------------------------------------------


def test_find() -> None:
    rig, lamp = Rig(), Lamp()
    number = rig.submit(Find(lamp.server.device_id.lower(), 3.0))
    found = lamp.found(5001, "192.0.2.7")
    rig.home.receive_discovery(found, rig.now)
    rig.run()
    assert rig.result(number) == found
    assert [type(effect) for effect in rig.effects] == [Browse, StopBrowsing]
    number = rig.submit(Find(lamp.server.device_id, 3.0))
    rig.pass_time(2.9)
    assert number not in rig.replies
    rig.pass_time(0.2)
    with pytest.raises(TimedOut, match="was not seen on the network within 3 s"):
        rig.result(number)
    rig.home.receive_discovery(found, rig.now)  # nobody cares
    assert rig.home.poll() is None


def test_discover() -> None:
    rig, lamp, other = Rig(), Lamp(), Lamp(seed=2)
    first, second = lamp.found(1, "192.0.2.7"), other.found(2, "192.0.2.8")
    rig.submit(Discover("all"))
    rig.submit(Discover("soon", 5.0))
    rig.home.receive_discovery(first, rig.now)
    rig.run()
    rig.submit(Discover("late"))
    rig.home.receive_discovery(Gone("Desk lamp", first.device_id), rig.now)
    rig.home.receive_discovery(second, rig.now)
    rig.run()
    assert rig.news == {"all": [first, second], "soon": [first, second], "late": [first, second]}
    assert rig.ask(Find(second.device_id)) == second  # known already
    rig.pass_time(5.0)
    assert rig.ended == {"soon": None}
    rig.submit(Stop("all"))
    rig.submit(Stop("nobody"))
    assert rig.browsing
    rig.submit(Stop("late"))
    assert rig.ended == {"soon": None, "all": None, "late": None}
    assert not rig.browsing
    with pytest.raises(LocalProtocolError, match="mDNS"):
        Rig(discovery=False).submit(Discover("all"))
    with pytest.raises(LocalProtocolError, match="mDNS"):
        Rig(discovery=False).submit(Find("AA:AA:AA:AA:AA:AA"))


def test_a_neighbour_who_announces_any_number() -> None:
    rig, lamp = Rig(), Lamp()
    rig.submit(Discover("all"))
    for number in range(MAX_FOUND + 5):
        rig.home.receive_discovery(evolve(lamp.found(1, "192.0.2.7"), device_id=f"AA:{number}"), rig.now)
    rig.home.receive_discovery(evolve(lamp.found(2, "192.0.2.7"), device_id="AA:0"), rig.now)
    rig.run()
    assert len(rig.news["all"]) == MAX_FOUND + 1
    rig.submit(Discover("late"))
    assert len(rig.news["late"]) == MAX_FOUND


# --- following --------------------------------------------------------------------------------------------------------


def update(rig: Rig, lamp: Lamp, value: bool) -> None:
    rig.pass_time(1.0)
    lamp.server.submit(UpdateValues({lamp.on: value}), rig.now)
    rig.run()


def test_following() -> None:
    rig, lamp = paired()
    rig.ask(Follow("lamp", [lamp.on], "a"))
    rig.ask(Follow("lamp", [lamp.on, lamp.light.brightness.id], "b"))
    update(rig, lamp, True)
    assert rig.news == {to: [CharacteristicChanged(lamp.on, True)] for to in "ab"}
    rig.submit(Stop("a"))
    assert rig.ended == {"a": None}
    update(rig, lamp, False)
    assert len(rig.news["a"]) == 1
    assert len(rig.news["b"]) == 2
    rig.submit(Stop("b"))
    update(rig, lamp, True)
    assert len(rig.news["b"]) == 2


def test_following_ends_with_the_connection() -> None:
    rig, lamp = paired()
    rig.ask(Follow("lamp", [lamp.on], "a"))
    rig.cut()
    assert isinstance(rig.ended["a"], Disconnected)
    rig.ask(Follow("lamp", [lamp.on], "a2"))
    rig.submit(Disconnect("lamp"))
    assert rig.ended["a2"] is None
    rig.submit(Stop("a2"))
    before = len(connects(rig))
    rig.submit(Stop("a"))
    assert len(connects(rig)) == before  # nothing is connected to say that nothing is wanted


def test_what_has_no_events() -> None:
    rig, _ = paired()
    with pytest.raises(Refused, match=r"no events of 1\.2"):
        rig.ask(Follow("lamp", [(1, 2)], "a"))
    rig.cut()
    assert not rig.ended
    with pytest.raises(LocalProtocolError):
        rig.ask(Follow("lamp", [], "a"))


def test_a_reader_follows_one_thing() -> None:
    rig, lamp = paired()
    rig.ask(Follow("lamp", [lamp.on], "a"))
    rig.submit(Discover("b"))
    rig.hosts[HERE] = "hole"
    rig.cut()
    rig.submit(Follow("lamp", [lamp.on], "c"))
    rig.submit(Stop("a"))
    for to in "bc":
        for command in (Follow("lamp", [lamp.on], to), Discover(to)):
            with pytest.raises(LocalProtocolError, match="follows something already"):
                rig.submit(command)


def test_a_reader_that_goes_before_it_is_there() -> None:
    rig, lamp = paired()
    rig.hosts[HERE] = "hole"
    number = rig.submit(Follow("lamp", [lamp.on], "a"))
    rig.submit(Stop("a"))
    connection = rig.effects[-1].connection
    rig.wires[connection] = lamp, lamp.server.connection_opened(rig.now)
    rig.home.connected(connection, rig.now)
    rig.run()
    assert rig.result(number) is None
    update(rig, lamp, True)
    assert not rig.news
    # Between the request and its answer.
    lamp.mute = True
    number = rig.submit(Follow("lamp", [lamp.on], "b"))
    rig.submit(Stop("b"))
    assert rig.ended["b"] is None
    rig.pass_time(REQUEST_TIMEOUT + 1)
    with pytest.raises(TimedOut):
        rig.result(number)


def test_subscriptions_of_the_caller_are_its_own() -> None:
    rig, lamp = paired()
    rig.ask(Ask("lamp", Subscribe([lamp.on])))
    update(rig, lamp, True)
    assert not rig.news
    rig.ask(Ask("lamp", Unsubscribe([lamp.on])))


# --- the end of a pairing, and of everything --------------------------------------------------------------------------


def test_removing() -> None:
    rig, lamp = paired()
    rig.ask(Follow("lamp", [lamp.on], "a"))
    rig.ask(read(lamp, address="192.0.2.7:5001"))
    rig.ask(Remove("lamp"))
    assert rig.home.aliases == ()
    assert rig.table == {}
    assert not rig.wires
    assert not lamp.server.paired
    assert "a" in rig.ended
    rig.pair()


def test_removing_what_is_gone() -> None:
    rig, lamp = paired(discovery=False)
    rig.hosts.clear()
    with pytest.raises(Disconnected):
        rig.ask(Remove("lamp"))
    assert rig.home.aliases == ("lamp",)
    rig.hosts[THERE] = lamp
    rig.fault = OSError("disk full")
    with pytest.raises(EffectFailed, match="could not store lamp: disk full"):
        rig.ask(Remove("lamp", force=True))
    assert rig.home.aliases == ("lamp",)
    rig.fault = None
    rig.ask(Remove("lamp", force=True))
    assert rig.home.aliases == ()
    assert lamp.server.paired  # it could not be told


def test_removing_at_an_address() -> None:
    rig, lamp = paired()
    rig.hosts.clear()
    rig.hosts[THERE] = lamp
    rig.ask(Remove("lamp", "192.0.2.8:5001"))
    assert not lamp.server.paired


def test_adopting() -> None:
    rig, lamp = paired()
    other = Rig()
    other.hosts[HERE] = lamp
    record = rig.home.record("lamp")
    other.ask(Adopt(evolve(record, alias="mine")))
    assert other.ask(Ask("mine", Read([lamp.on])))[lamp.on].value is False
    assert set(other.table) == {"mine"}
    other.fault = OSError("disk full")
    with pytest.raises(EffectFailed) as failure:
        other.ask(Adopt(record))
    assert failure.value.cause is other.fault
    assert other.home.aliases == ("mine",)
    # A pairing of another accessory under the same name: the old connection is no use.
    other.fault = None
    elsewhere = Rig()
    elsewhere.hosts[THERE] = another = Lamp(seed=2)
    elsewhere.pair("192.0.2.8:5001")
    other.hosts[THERE] = another
    other.ask(Adopt(evolve(elsewhere.home.record("lamp"), alias="mine")))
    assert not other.wires
    assert other.ask(Ask("mine", Read([another.on])))[another.on].value is False
    assert [number for _, number in connects_and(other)] == [HERE, THERE]


def connects_and(rig: Rig) -> list[tuple[int, tuple[str, int]]]:
    return [(one.connection, one.address) for one in rig.effects if isinstance(one, Connect)]


def test_the_end() -> None:
    rig, lamp = paired()
    rig.ask(Follow("lamp", [lamp.on], "a"))
    rig.submit(Discover("b"))
    lamp.mute = True
    numbers = [rig.submit(read(lamp)), rig.submit(Find("AA:AA:AA:AA:AA:AA"))]
    rig.hosts["192.0.2.9", 1] = "hole"
    numbers += [rig.submit(IdentifyAt("192.0.2.9:1")), rig.submit(read(lamp, address="192.0.2.9:1"))]
    start = StartPairing("192.0.2.9:1", "new")
    numbers.append(rig.submit(start))
    rig.ask(Close())
    for number in numbers:
        with pytest.raises(Disconnected):
            rig.result(number)
    assert rig.ended == {"a": None, "b": None}
    assert not rig.wires
    assert not rig.browsing
    assert rig.home.next_timeout() is None
    for command in (read(lamp), Find("AA:AA:AA:AA:AA:AA"), Discover("c")):
        with pytest.raises(LocalProtocolError, match="closed"):
            rig.submit(command)
    for command in (Stop("a"), Disconnect("lamp"), Close()):
        assert rig.ask(command) is None


def test_storing_is_confirmed_before_anything_else_leaves() -> None:
    rig, _ = paired()
    seen: list[object] = []
    rig.before = seen.append
    rig.ask(Adopt(evolve(rig.home.record("lamp"), name="Lamp")))
    assert [type(effect) for effect in seen] == [Persist]
    assert b"Lamp" in rig.table["lamp"]


def test_recorded_engines_and_key_logs() -> None:
    made: list[Any] = []

    def engine(*args: Any, **options: Any) -> Connection:
        made.append(Connection(*args, **options))
        return made[-1]

    rig, lamp = Rig(engine=engine), Lamp()
    rig.home.tells_keys = True
    rig.hosts[HERE] = lamp
    rig.pair()
    rig.ask(read(lamp))
    assert [one.state for one in made] == [State.CLOSED, State.SECURED]
    (keys,) = [one for one in rig.events if isinstance(one, SessionKeysMade)]
    assert keys.connection == 2
