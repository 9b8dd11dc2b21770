"""Accessory and controller without an event loop, over loopback: what a user does, and what goes wrong."""

from __future__ import annotations

import logging
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.adapters.sync_home import CODE, WRONG_CODE, House, lamp, open_house, open_lamp

import hap_sync
from hap_sync import pump
from hap_sync.pump import HIGH_WATER
from hapcore.catalogue.characteristics import NAME
from hapcore.catalogue.services import Lightbulb
from hapcore.discovery import DiscoveredAccessory, Gone
from hapcore.errors import (
    AccessoryChanged,
    Disconnected,
    LocalProtocolError,
    PairingRefused,
    Refused,
    StateError,
    TimedOut,
    ValueRefused,
)
from hapcore.ids import Caller, CharacteristicId, HapStatus
from hapcore.ip.accessory import (
    CharacteristicsWritten,
    PairingAdded,
    PairingRemoved,
    SessionClosed,
    SessionOpened,
    SetupAttemptFailed,
    SubscriptionChanged,
    UpdateValues,
)
from hapcore.ip.controller import CharacteristicChanged, Connection, State
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import HapStatusError


@pytest.fixture
def house() -> Iterator[House]:
    with open_house() as house:
        yield house


def test_pair_read_write_and_remove(house: House) -> None:
    light, server = house.light, house.server
    assert not server.paired
    client = house.pair()
    assert server.paired
    assert house.home.aliases == ("lamp",)
    assert house.home.connect("lamp") is client
    on, brightness = light.on.id, light.brightness.id
    assert not client.connected
    results = client.read([on, brightness])
    assert client.connected
    assert {one: result.value for one, result in results.items()} == {on: False, brightness: 40}
    written = client.write({on: True, brightness: 55})
    assert {result.status for result in written.values()} == {HapStatus.SUCCESS}
    assert (light.on.value, light.brightness.value) == (True, 55)
    assert client.read([on], meta=True)[on].fields
    (entry,) = client.pairings()
    assert entry.identifier == client.pairing.controller_id.encode()
    assert client.accessories()[0].name == "Desk lamp"
    house.home.remove("lamp")
    assert not server.paired
    with pytest.raises(LocalProtocolError, match="there are none yet"):
        house.home.connect("lamp")


def test_timed_write(house: House) -> None:
    client, on = house.pair(), house.light.on.id
    with_news = house.server.events()
    assert client.write({on: True}, timed=2000)[on].status == HapStatus.SUCCESS
    written = next(event for event in with_news if isinstance(event, CharacteristicsWritten))
    assert written.writes[0].timed
    assert house.light.on.value is True


def test_values_are_checked_before_they_leave(house: House) -> None:
    client = house.pair()
    with pytest.raises(ValueRefused):
        client.write({house.light.brightness.id: 101})
    with pytest.raises(ValueRefused):
        house.light.brightness.value = 101
    assert house.light.brightness.value == 40


# --- events -----------------------------------------------------------------------------------------------------------


def test_events_reach_the_controller(house: House) -> None:
    client = house.pair()
    on, brightness = house.light.on, house.light.brightness
    with client.subscribe([on.id]) as changes:
        with client.subscribe([on.id, brightness.id]) as more:
            house.server.do(UpdateValues({brightness.id: 12}))
            assert more.wait(10) == CharacteristicChanged(brightness.id, 12)
            news = house.server.events()
        # The inner block ended the subscription to the brightness only.
        assert next(one.id for one in news if isinstance(one, SubscriptionChanged)) == brightness.id
        client.write({brightness.id: 13})  # another call on the same connection, while it is watched
        assert not changes.ready
        with pytest.raises(StopIteration):
            next(more)
        with pytest.raises(EOFError):
            more.wait()


def test_waiting_for_changes_ends_in_time(house: House) -> None:
    client, on = house.pair(), house.light.on
    with client.subscribe([on.id]) as changes:
        with pytest.raises(TimeoutError):
            changes.wait(0.01)
        assert list(changes.events(0.01)) == []
        on.value = True
        assert changes.wait(10).value is True
    for _ in house.server.events(timeout=0.01):
        pass


def test_what_has_no_events_cannot_be_subscribed_to(house: House) -> None:
    client, on = house.pair(), house.light.on
    name = house.server.database.accessories[0].information[NAME]
    with pytest.raises(Refused, match=f"no events of {name.id}"), client.subscribe([name.id, on.id]):
        pytest.fail("subscribed to a name")
    with client.subscribe([on.id]) as changes:
        on.value = True
        assert next(changes) == CharacteristicChanged(on.id, True)


def test_no_echo_to_the_writer_but_news_to_the_other(house: House) -> None:
    first = house.pair()
    second = house.add_controller(first)
    on = house.light.on.id
    with first.subscribe([on]) as mine, second.subscribe([on]) as theirs:
        first.write({on: True})
        assert next(theirs) == CharacteristicChanged(on, True)
        second.write({on: False})
        assert next(mine) == CharacteristicChanged(on, False)


def test_the_server_reports_what_happens(house: House) -> None:
    feed = house.server.events()
    client = house.pair()
    with client.subscribe([house.light.on.id]):
        client.write({house.light.on.id: True})
    house.home.remove("lamp")
    kinds = set()
    for event in feed:
        kinds.add(type(event))
        if isinstance(event, SessionClosed):
            break
    assert {PairingAdded, SessionOpened, SubscriptionChanged, CharacteristicsWritten, PairingRemoved} <= kinds
    assert feed.lost == 0


# --- pairing ----------------------------------------------------------------------------------------------------------


def test_a_wrong_code_is_refused_and_another_try_is_free(house: House) -> None:
    feed = house.server.events()
    with pytest.raises(PairingRefused) as refusal:
        house.home.pair(house.address, WRONG_CODE, "lamp")
    assert (refusal.value.error, refusal.value.step) == (2, 4)
    assert isinstance(next(feed), SetupAttemptFailed)
    assert not house.server.paired
    with house.home.start_pairing(house.address, "lamp") as started:
        with pytest.raises(LocalProtocolError):
            started.finish("031-45-15")
        with pytest.raises(PairingRefused):
            started.finish(WRONG_CODE)
        client = started.finish(CODE)
    assert client.read([house.light.on.id])[house.light.on.id].value is False


def test_pairing_is_refused_to_the_second(house: House) -> None:
    house.pair()
    with pytest.raises(PairingRefused) as refusal:
        house.home.pair(house.address, CODE, "again")
    assert refusal.value.error == 6
    with pytest.raises(LocalProtocolError, match="already"):
        house.home.pair(house.address, CODE, "lamp")
    with pytest.raises(LocalProtocolError, match="eight digits"):
        house.home.pair(house.address, "1234", "other")


def test_identify() -> None:
    identified: list[str] = []
    accessory = Accessory("Bulb", services=[lamp()])

    @accessory.identify
    def _() -> None:
        identified.append("blink")

    with (
        hap_sync.open_server(accessory, setup_code=CODE, address="127.0.0.1", mdns=False) as server,
        hap_sync.open_controller(mdns=False) as home,
    ):
        address = f"127.0.0.1:{server.port}"
        home.identify(address)
        server.step()
        home.pair(address, CODE, "bulb").identify()
        assert identified == ["blink", "blink"]


def test_both_sides_remember(tmp_path: Path) -> None:
    state, pairings = tmp_path / "lamp.json", tmp_path / "pairings.json"
    with open_house(pairings, state=state) as house:
        device_id, iid = house.server.device_id, house.light.on.iid
        house.pair()
        assert b'"lamp"' in pairings.read_bytes()  # as soon as it is there, not at the end
    with open_house(pairings, state=state, setup_code=None) as house:
        assert (house.server.device_id, house.light.on.iid) == (device_id, iid)
        assert house.server.setup_code == CODE
        assert house.server.setup_uri.startswith("X-HM://")
        assert house.server.paired
        # The lamp has another port now, and the file does not know it.
        client = house.home.connect("lamp", address=house.address)
        assert client.read([(1, iid)])[CharacteristicId(1, iid)].value is False
        with pytest.raises(Disconnected, match="cannot connect"):
            house.home.connect("lamp").read([(1, iid)])


def test_corrupt_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(StateError), open_lamp(state=path):
        pytest.fail("served with half a state")
    with pytest.raises(StateError), hap_sync.open_controller(path, mdns=False):
        pytest.fail("opened with half a file")
    assert path.read_text() == "{"


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


PERSIST = hap_sync.FileStore.persist


def full_later(store: hap_sync.FileStore, key: str, value: bytes) -> None:
    """There is room for the keys that are offered, and none for the pairing they are of."""
    if key == "lamp":
        full()
    PERSIST(store, key, value)


def test_what_cannot_be_known_again_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hap_sync.store.FileStore.persist", full)
    with pytest.raises(OSError, match="No space left"), open_lamp(state=tmp_path / "lamp.json"):
        pytest.fail("served")


def test_an_accessory_that_cannot_store_does_not_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with open_house(state=tmp_path / "lamp.json") as house:
        with monkeypatch.context() as broken:
            broken.setattr(hap_sync.FileStore, "persist", full)
            with pytest.raises(Refused):
                house.pair()
            assert not house.server.paired
        house.pair()
        assert house.server.paired
    assert "could not store" in caplog.text


def test_a_controller_that_cannot_store_takes_the_pairing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_house(tmp_path / "pairings.json") as house:
        with monkeypatch.context() as broken:
            broken.setattr(hap_sync.FileStore, "persist", full_later)
            with pytest.raises(OSError, match="No space") as failure:
                house.pair()
        assert not hasattr(failure.value, "__notes__")
        assert not house.server.paired
        assert house.home.aliases == ()


def test_a_pairing_that_is_lost_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_house(tmp_path / "pairings.json") as house:

        def full_and_gone(store: hap_sync.FileStore, key: str, value: bytes) -> None:
            if key == "lamp":
                house.server.stop()
            full_later(store, key, value)

        with monkeypatch.context() as broken:
            broken.setattr(hap_sync.FileStore, "persist", full_and_gone)
            with pytest.raises(OSError, match="No space") as failure:
                house.pair()
        assert "pair it again" in failure.value.__notes__[0]


# --- connections that come and go -------------------------------------------------------------------------------------


def test_reconnects_when_the_connection_is_gone(house: House) -> None:
    client, on = house.pair(), house.light.on.id
    client.read([on])
    members = len(house.home._loop.members)
    for _ in range(3):
        client.close()
        assert not client.connected
        assert client.read([on])[on].value is False
    assert len(house.home._loop.members) == members


def test_a_restarted_accessory_is_found_again(tmp_path: Path) -> None:
    state = tmp_path / "lamp.json"
    with hap_sync.open_controller(mdns=False) as home:
        with open_lamp(state=state) as (light, server):
            port, on = server.port, light.on.id
            client = home.pair(f"127.0.0.1:{port}", CODE, "lamp")
            with client.subscribe([on]) as changes:
                light.on.value = True
                next(changes)
                server.stop()
                with pytest.raises(Disconnected):
                    next(changes)
            assert not client.connected
        with pytest.raises(Disconnected):
            client.read([on])
        with open_lamp(state=state, port=port):
            assert client.read([on])[on].value is False


def test_fails_over_to_the_address_that_works(house: House) -> None:
    client, on = house.pair(), house.light.on.id
    record = house.home.record("lamp")
    house.home.save(evolve(record, addresses=("::1", "localhost")))
    assert client.read([on])[on].value is False
    house.home.save(evolve(record, port=1))
    client.close()
    with pytest.raises(Disconnected, match="port 1: Connection refused"):
        client.read([on])
    house.home.save(evolve(record, addresses=()))
    with pytest.raises(Disconnected, match="was not found"):
        client.read([on])


def test_a_host_name_that_cannot_be(house: House) -> None:
    client = house.pair()
    for host in ("a" * 64, "\udcff", "a..b"):
        with pytest.raises(Disconnected):
            house.home.connect("lamp", f"{host}:1").read([(1, 2)])
    assert client.pairings()


def test_engines_of_ones_own() -> None:
    made: list[Connection] = []

    def engine(*args: Any, **options: Any) -> Connection:
        made.append(Connection(*args, **options))
        return made[-1]

    with open_lamp() as (light, server), hap_sync.open_controller(mdns=False, engine=engine) as home:
        client = home.pair(f"127.0.0.1:{server.port}", CODE, "lamp")
        client.read([light.on.id])
    assert [one.state for one in made] == [State.CLOSED, State.CLOSED]


def test_another_device_at_the_address_is_not_taken_for_ours(house: House) -> None:
    client = house.pair()
    with open_lamp() as (_, other):
        elsewhere = house.home.connect("lamp", address=f"127.0.0.1:{other.port}")
        with pytest.raises(AccessoryChanged):
            elsewhere.read([(1, 2)])
        other.run(timeout=0.02)
        assert not other._pump._wires  # nothing is left open there
        record = house.home.record("lamp")
        house.home.save(evolve(record, addresses=("::1", "127.0.0.1"), port=other.port))
        with pytest.raises(AccessoryChanged) as failure:
            client.read([(1, 2)])
        assert "cannot connect to ::1" in failure.value.__notes__[0]
        house.home.save(record)
    assert client.pairings()


def test_who_is_not_known_any_more_is_told_and_let_go(house: House) -> None:
    client = house.pair()
    second = house.add_controller(client)
    client.remove_pairing(second.pairing.controller_id.encode())
    with pytest.raises(PairingRefused) as refusal:
        second.read([house.light.on.id])
    assert refusal.value.error == 2
    house.server.run(timeout=0.02)
    assert len(house.server._pump._wires) == 1
    assert client.connected


def test_unpairing_an_accessory_that_is_gone_needs_force() -> None:
    with hap_sync.open_controller(mdns=False) as home:
        with open_lamp() as (_, server):
            home.pair(f"127.0.0.1:{server.port}", CODE, "lamp")
        with pytest.raises(Disconnected):
            home.remove("lamp")
        assert home.aliases == ("lamp",)
        home.remove("lamp", force=True)
        assert home.aliases == ()


def test_stopping_with_clients_connected() -> None:
    with hap_sync.open_controller(mdns=False) as home, ExitStack() as stack:
        with open_lamp() as (light, server):
            client = home.pair(f"127.0.0.1:{server.port}", CODE, "lamp")
            changes = stack.enter_context(client.subscribe([light.on.id]))
            feed = server.events()
        assert [type(event) for event in feed] == [SessionClosed]  # and it ends with the server
        with pytest.raises(Disconnected):
            next(changes)
        light.on.value = True  # not served any more: an ordinary attribute
        assert light.on.value is True


def test_after_the_end_of_the_block_nothing_waits_for_ever() -> None:
    with open_house() as house:
        client, feed = house.pair(), house.server.events()
        rest = feed.events()
    assert list(rest) == []
    with pytest.raises(LocalProtocolError, match="is over"):
        client.read([house.light.on.id])
    with pytest.raises(LocalProtocolError, match="is over"):
        house.server.run()


def test_an_exception_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"), open_house():
        raise KeyError("mine")


def test_a_taken_port_is_the_operating_systems_error() -> None:
    with open_lamp() as (_, server), pytest.raises(OSError, match="in use"), open_lamp(port=server.port):
        pytest.fail("two servers on one port")


def test_a_hundred_connections(house: House) -> None:
    client, on = house.pair(), house.light.on.id
    with ExitStack() as stack:
        clients = [house.home.connect("lamp", address=house.address) for _ in range(100)]
        feeds = [stack.enter_context(one.subscribe([on])) for one in clients]
        assert [one.read([on])[on].value for one in clients] == [False] * 100
        house.light.on.value = True
        assert [next(feed).value for feed in feeds] == [True] * 100
        assert client.read([on])[on].value is True


def test_abrupt_ends_disturb_nobody(house: House) -> None:
    client, on = house.pair(), house.light.on.id
    client.read([on])
    for opening in (b"", b"GET /acc", b"POST /pair-setup HTTP/1.1\r\nContent-Length: 100\r\n\r\n\x00", bytes(5000)):
        with socket.create_connection(("127.0.0.1", house.server.port)) as rude:
            rude.sendall(opening)
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))  # a reset
        assert client.read([on])[on].value is False
    assert client.connected


def rude_reader(house: House) -> socket.socket:
    """Somebody who asks until nothing goes in any more, and reads nothing."""
    rude = socket.create_connection(("127.0.0.1", house.server.port))
    rude.setblocking(False)
    question = rest = b"GET /accessories HTTP/1.1\r\nHost: lamp\r\n\r\n" * 100
    while not any(wire.paused for wire in house.server._pump._wires.values()):
        try:
            rest = rest[rude.send(rest) :] or question
        except BlockingIOError:
            house.server.step()
    return rude


def test_a_peer_that_never_reads_costs_little_memory(house: House) -> None:
    client, on = house.pair(), house.light.on.id
    client.read([on])
    with rude_reader(house):
        assert 0 < max(wire.unsent for wire in house.server._pump._wires.values()) < 4 * HIGH_WATER
        assert client.read([on])[on].value is False
    house.server.run(timeout=0.01)
    assert len(house.server._pump._wires) == 1
    assert not house.server._pump._slow


def test_a_peer_that_reads_late_gets_everything(house: House) -> None:
    with rude_reader(house) as late:
        paused = [wire for wire in house.server._pump._wires.values() if wire.paused]
        late.settimeout(0)
        got = 0
        while paused[0].paused or house.server._pump._slow:
            house.server.step(0.01)
            try:
                while data := late.recv(100_000):
                    got += len(data)
            except BlockingIOError:
                pass
        assert got > HIGH_WATER
        house.server.step(10)
        assert late.recv(1000)  # the rest of the questions is answered


def test_a_peer_that_takes_nothing_is_cut_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "STALL_LIMIT", 0.05)
    with rude_reader(house):
        house.server.run(timeout=0.1)
        assert not house.server._pump._wires


# --- the application's handlers ---------------------------------------------------------------------------------------


def test_setters_decide(house: House, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[tuple[object, bool]] = []

    @house.light.brightness.setter
    def _(value: int, caller: Caller) -> None:
        if value == 13:
            raise HapStatusError(HapStatus.BUSY)
        if value == 14:
            raise RuntimeError("the bulb burnt out")
        calls.append((value, caller.admin))

    client, brightness = house.pair(), house.light.brightness.id

    def status(level: int) -> int:
        return client.write({brightness: level})[brightness].status

    assert status(50) == HapStatus.SUCCESS
    assert calls == [(50, True)]
    assert status(13) == HapStatus.BUSY
    with caplog.at_level(logging.ERROR, "hap_sync"):
        assert status(14) == HapStatus.UNABLE_TO_COMMUNICATE
    assert "the bulb burnt out" in caplog.text
    assert str(brightness) in caplog.text
    assert status(15) == HapStatus.SUCCESS
    assert house.light.brightness.value == 15


def test_getters_answer(house: House) -> None:
    @house.light.brightness.getter
    def _(caller: Caller) -> int:
        return 10

    @house.light.on.getter
    def _(caller: Caller) -> bool:
        raise HapStatusError(HapStatus.BUSY)

    client, on, brightness = house.pair(), house.light.on.id, house.light.brightness.id
    results = client.read([on, brightness])
    assert results[brightness].value == 10
    assert results[on].status == HapStatus.BUSY


def test_handlers_that_must_be_awaited_are_refused(house: House, caplog: pytest.LogCaptureFixture) -> None:
    @house.light.on.setter
    async def _(value: bool, caller: Caller) -> None:
        pytest.fail("there is nobody to await it")

    @house.light.brightness.setter
    def _(value: int, caller: Caller) -> None:
        house.light.brightness.value = value

    client, on, brightness = house.pair(), house.light.on.id, house.light.brightness.id
    results = client.write({on: True, brightness: 3})
    assert (results[on].status, results[brightness].status) == (HapStatus.UNABLE_TO_COMMUNICATE, HapStatus.SUCCESS)
    assert house.light.on.value is False
    assert f"the handler of characteristic {on} failed" in caplog.text
    assert "hap_sync takes ordinary functions" in caplog.text


def test_a_handler_may_use_a_client_of_the_same_thread(house: House) -> None:
    """A lamp that passes on what it is told, and two that switch each other on."""
    client, on = house.pair(), house.light.on.id
    with open_lamp() as (copy, other):
        again = house.home.connect("lamp", house.address)
        behind = house.home.pair(f"127.0.0.1:{other.port}", CODE, "behind")

        @copy.on.setter
        def _(value: bool, caller: Caller) -> None:
            assert again.read([house.light.brightness.id])  # back to the one that is waiting for us

        @house.light.on.setter
        def _(value: bool, caller: Caller) -> None:
            behind.write({copy.on.id: value})

        assert client.write({on: True})[on].status == HapStatus.SUCCESS
        assert copy.on.value is True


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


def test_ctrl_c_in_a_write_only_loses_the_result(house: House) -> None:
    @house.light.on.setter
    def _(value: bool, caller: Caller) -> None:
        signal.raise_signal(signal.SIGINT)

    client, on = house.pair(), house.light.on.id
    client.read([on])
    wires = list(house.server._pump._wires)
    with pytest.raises(KeyboardInterrupt):
        client.write({on: True})
    assert client.read([house.light.brightness.id])[house.light.brightness.id].value == 40
    assert list(house.server._pump._wires) == wires  # the very same connection
    assert house.light.on.value is True  # and the accessory finished the write
    assert not house.home.pump._replies


@pytest.mark.parametrize("moment", [1, 2], ids=["waiting for the accessory", "storing"])
def test_ctrl_c_waits_until_a_pairing_is_stored(moment: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_house(tmp_path / "pairings.json", state=tmp_path / "lamp.json") as house:
        persist, stored = hap_sync.FileStore.persist, 0

        def interrupted(*arguments: Any) -> None:
            """The accessory stores first, then the controller."""
            nonlocal stored
            stored += 1
            if stored == moment:
                signal.raise_signal(signal.SIGINT)
            persist(*arguments)

        with monkeypatch.context() as late:
            late.setattr(hap_sync.FileStore, "persist", interrupted)
            with pytest.raises(KeyboardInterrupt):
                house.pair()
        assert house.server.paired
        on = house.light.on.id
        assert house.home.connect("lamp").read([on])[on].value is False
    with hap_sync.open_controller(tmp_path / "pairings.json", mdns=False) as home:
        assert home.aliases == ("lamp",)


def test_a_second_ctrl_c_does_not_wait(house: House) -> None:
    reached: list[int] = []

    @house.light.on.setter
    def _(value: bool, caller: Caller) -> None:
        for number in range(3):
            reached.append(number)
            signal.raise_signal(signal.SIGINT)

    client = house.pair()
    with pytest.raises(KeyboardInterrupt):
        client.write({house.light.on.id: True})
    assert reached == [0, 1]


def test_ctrl_c_between_calls_is_pythons_own(house: House) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    house.pair()


def test_sigint_is_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with open_lamp():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    mine = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with open_lamp():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # who handles it himself goes on to
    finally:
        signal.signal(signal.SIGINT, mine)


# --- on the network ---------------------------------------------------------------------------------------------------


def test_is_found_on_the_network_also_after_it_moved(tmp_path: Path) -> None:
    state = tmp_path / "lamp.json"
    with (
        hap_sync.open_mdns(["127.0.0.1"], probe=False) as mdns,
        hap_sync.open_controller(mdns=mdns) as home,
        ExitStack() as stack,
    ):
        name = f"Lamp {secrets.token_hex(4)}"  # of no other test that runs beside this one
        with open_lamp(Lightbulb(name), state=state, mdns=mdns) as (light, server):
            found = home.find(server.device_id.lower())
            assert (found.port, found.addresses, found.paired) == (server.port, ("127.0.0.1",), False)
            client = home.pair(found, CODE, "lamp")
            with closing(home.discover(10)) as discovery:
                assert any(news.device_id == server.device_id and news.paired for news in discovery)
            client.read([light.on.id])
            browsing = stack.enter_context(mdns.browse())
            assert any(
                isinstance(news, DiscoveredAccessory) and news.device_id == server.device_id for news in browsing
            )
        # a goodbye, although the mDNS goes on
        assert any(isinstance(news, Gone) and news.device_id == found.device_id for news in browsing)
        with open_lamp(Lightbulb(name), state=state, mdns=mdns) as (light, server):
            assert server.port != found.port
            assert client.read([light.on.id])[light.on.id].value is False
            assert home.record("lamp").port == server.port


def test_discovering_ends_in_time() -> None:
    with hap_sync.open_controller(interfaces=["127.0.0.1"]) as home:
        for _ in home.discover(0.05):
            pass
        with pytest.raises(TimedOut, match="was not seen"):
            home.find("00:00:00:00:00:00", timeout=0.05)


def test_leaving_does_not_wait_for_the_announcement() -> None:
    with hap_sync.open_mdns(["127.0.0.1"]) as mdns:
        with open_lamp(mdns=mdns) as (_, server):
            announcing = server._announcing
        assert announcing is not None
        assert announcing.cancelled()


def test_of_many_news_of_an_accessory_the_last_counts() -> None:
    with hap_sync.open_mdns(["127.0.0.1"]) as mdns, mdns.browse() as browsing:
        for name in ("first", "second"):
            browsing.put(Gone(name, "00:00:00:00:00:01"))
            browsing.put(Gone(name, "00:00:00:00:00:02"))
        ours = [one for one in browsing.events(0) if one.device_id.startswith("00:00:00:00:00")]
        assert [one.name for one in ours] == ["second", "second"]


def test_mdns_says_what_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(LocalProtocolError, match="neither an IP address nor"), hap_sync.open_mdns(["nowhere"]):
        pytest.fail("opened on nothing")
    with hap_sync.open_mdns(["127.0.0.1"]) as mdns:
        pass
    with pytest.raises(LocalProtocolError, match="closed"):
        mdns.withdraw()
    assert not caplog.text


def test_without_mdns_nothing_is_looked_for(house: House) -> None:
    with pytest.raises(LocalProtocolError, match="without mDNS"):
        house.home.find(house.server.device_id)
