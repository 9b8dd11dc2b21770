"""The loop of a thread: whose turn it is, how others reach it, how it ends; and feeds."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.sync_home import CODE, lamp, open_house, open_lamp
from tests.docs.programs import LIMIT, environment

import hap_sync
from hap_sync.feed import Feed
from hap_sync.listening import listen
from hap_sync.loop import Loop, thread_loop
from hap_sync.stream import CONNECT_LIMIT, Dialling, Listener
from hapcore.catalogue.characteristics import ON
from hapcore.discovery import DiscoveredAccessory, Gone
from hapcore.errors import Disconnected, LocalProtocolError
from hapcore.ip.accessory import SessionOpened


def dial(loop: Loop, host: str, port: int) -> socket.socket:
    """Connect, and wait for that."""
    made: list[socket.socket | Disconnected] = []
    Dialling(loop, made.append, host, port)
    assert loop.wait(lambda: bool(made), 10)
    if isinstance(made[0], Disconnected):
        raise made[0]
    return made[0]


# --- feeds ------------------------------------------------------------------------------------------------------------


def test_a_feed_gives_what_was_put_in_then_ends() -> None:
    with thread_loop() as loop:
        feed = Feed[int](loop)
        feed.put(1)
        feed.put(2)
        feed.close()
        feed.put(3)
        feed.close(Disconnected("too late"))
        assert list(feed) == [1, 2]
        assert feed.lost == 0
        assert list(feed.events(0)) == []


def test_a_slow_reader_loses_the_oldest() -> None:
    with thread_loop() as loop:
        feed = Feed[int](loop, limit=3)
        for item in range(10):
            feed.put(item)
        assert list(feed.events(0)) == [7, 8, 9]
        assert feed.lost == 7


def test_a_feed_raises_what_it_was_closed_with() -> None:
    with thread_loop() as loop:
        feed = Feed[int](loop)
        feed.put(1)
        feed.close(Disconnected("gone"))
        assert next(feed) == 1
        for read in (feed.__next__, feed.wait, lambda: list(feed.events(1))):
            with pytest.raises(Disconnected, match="gone"):
                read()


# --- other threads ----------------------------------------------------------------------------------------------------


def elsewhere(function: Any) -> Any:
    """Call it in another thread; its result, or the error it raised."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:  # noqa: BLE001 - the caller looks at it
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    return results[0]


def test_another_thread_sets_values_through_the_door() -> None:
    with open_house() as house:
        on = house.light.on
        client = house.pair()
        with client.subscribe([on.id]) as changes:
            threads = [threading.Thread(target=house.server.call_soon, args=(lambda: setattr(on, "value", True),))]
            threads[0].start()
            assert changes.wait(10).value is True  # the call woke whoever waited
            threads[0].join()


def test_what_is_called_soon_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("no such lamp")

    with open_lamp() as (_, server):
        called: list[int] = []
        server.call_soon(fail)
        server.call_soon(lambda: called.append(1))
        server.step(10)
        assert called == [1]
        assert "no such lamp" in caplog.text
    with pytest.raises(LocalProtocolError, match="closed"):
        server.call_soon(fail)


def test_using_it_in_two_threads_at_once_is_refused() -> None:
    with open_house() as house:
        client = house.pair()

        def meddle(value: bool, caller: object) -> None:
            for meddling in (lambda: client.read([(1, 2)]), lambda: setattr(house.light.on, "value", True)):
                error = elsewhere(meddling)
                assert isinstance(error, LocalProtocolError)
                assert "call_soon" in str(error)
            house.server.call_soon(house.server.stop)

        house.light.on.setter(meddle)
        assert client.write({house.light.on.id: True})[house.light.on.id].status == 0
        house.server.run()  # until the call that the setter has left behind


def test_one_after_the_other_is_fine() -> None:
    with open_house() as house:
        client, on = house.pair(), house.light.on.id
        assert elsewhere(lambda: client.read([on])[on].value) is False
        assert client.read([on])[on].value is False


def test_each_thread_has_a_loop_of_its_own() -> None:
    with open_house() as house:
        house.pair()
        with thread_loop() as here:

            def other() -> bool:
                with thread_loop() as there:
                    return here is there

            assert elsewhere(other) is False
    with thread_loop() as fresh:
        assert fresh is not here


# --- serving ----------------------------------------------------------------------------------------------------------


def test_serve_runs_until_it_is_stopped() -> None:
    ports: list[int] = []

    def started(server: hap_sync.AccessoryServer) -> None:
        ports.append(server.port)
        threading.Thread(target=server.call_soon, args=(server.stop,)).start()

    hap_sync.serve(lamp(), address="127.0.0.1", mdns=False, started=started)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]))


def test_stepping_and_iterating_serve() -> None:
    with open_house() as house:
        client = house.pair()
        news = house.server.events(timeout=10)
        house.server.call_soon(lambda: client.read([house.light.on.id]))
        assert isinstance(next(news), SessionOpened)
        house.server.run(timeout=0.02)
        assert client.connected
        assert house.server.run(timeout=0) is None  # type: ignore[func-returns-value]
        house.server.step()


def test_no_room_for_another_connection_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with thread_loop() as loop:
        listener = Listener(loop, *listen({"address": "127.0.0.1"}))
        taken: list[socket.socket] = []
        listener.start(taken.append)
        inner, failures, asked = listener._socket, [errno.EMFILE, errno.ECONNABORTED], []

        class Full:
            def accept(self) -> tuple[socket.socket, object]:
                asked.append(len(failures))
                if failures:
                    raise OSError(number := failures.pop(0), os.strerror(number))
                return inner.accept()

            def __getattr__(self, name: str) -> Any:
                return getattr(inner, name)

        listener._socket = Full()  # type: ignore[assignment]
        with dial(loop, *listener.where) as ours:
            loop.wait(lambda: bool(asked), 10)
            for _ in range(3):
                loop.step(0)
            assert asked == [2]
            loop.wait(lambda: bool(taken), 10)
            assert taken[0].getpeername() == ours.getsockname()
        listener.close()
        taken[0].close()


def test_all_addresses_are_listened_on() -> None:
    with open_lamp(address=None) as (_, server):
        for host in ("127.0.0.1", *(["::1"] if socket.has_dualstack_ipv6() else [])):
            socket.create_connection((host, server.port)).close()
    with pytest.raises(OSError, match="assign"), open_lamp(address="192.0.2.77"):
        pytest.fail("listened on an address of somebody else")


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with thread_loop() as loop:
        with pytest.raises(Disconnected, match=r"cannot connect to host\.invalid, port 1: "):
            dial(loop, "host.invalid", 1)
        monkeypatch.setattr("hap_sync.stream.CONNECT_LIMIT", 0.02)
        with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
            port = deaf.getsockname()[1]
            queue = []
            with pytest.raises(Disconnected, match=r"no answer within 0\.02 s"):
                while True:  # until the queue of the listener is full
                    queue.append(dial(loop, "127.0.0.1", port))
            for sock in queue:
                sock.close()


def test_hundreds_that_nobody_answers_hold_nobody_up() -> None:
    with (
        thread_loop() as loop,
        socket.create_server(("127.0.0.1", 0), backlog=0) as deaf,
        socket.create_server(("127.0.0.1", 0)) as there,
    ):
        made: list[socket.socket | Disconnected] = []
        dialling = [Dialling(loop, made.append, *deaf.getsockname()) for _ in range(300)]
        loop.wait(lambda: False, 0.05)
        begun = time.monotonic()
        with dial(loop, *there.getsockname()):
            assert time.monotonic() - begun < CONNECT_LIMIT / 2, "it waited for the others"
        assert not any(isinstance(one, Disconnected) for one in made)
        for one in dialling:
            one.close()
        for sock in made:
            assert isinstance(sock, socket.socket)
            sock.close()


# --- Ctrl-C in a program ----------------------------------------------------------------------------------------------

PROGRAM = """
import signal, threading
import hap_sync
from hapcore.catalogue.services import Lightbulb

def started(server):
    print(server.port, server.device_id, flush=True)

try:
    hap_sync.serve(Lightbulb("Desk lamp"), address="127.0.0.1", state="lamp.json", setup_code="CODE", started=started)
except KeyboardInterrupt:
    print("ended", [one.name for one in threading.enumerate()], signal.getsignal(signal.SIGINT).__name__)
"""


def test_ctrl_c_says_goodbye_and_closes_everything(tmp_path: Path) -> None:
    (tmp_path / "lamp.py").write_text(PROGRAM.replace("CODE", CODE), encoding="utf-8")
    with (
        subprocess.Popen(
            [sys.executable, "lamp.py"],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process,
        hap_sync.open_controller(interfaces=["127.0.0.1"]) as home,
        hap_sync.open_mdns(["127.0.0.1"]) as mdns,
        mdns.browse() as news,
    ):
        assert process.stdout is not None
        port, device_id = process.stdout.readline().split()
        client = home.pair(f"127.0.0.1:{port}", CODE, "lamp")
        on = next(found.id for one in client.accessories()[0].services if (found := one.find(ON.uuid)))
        with client.subscribe([on]) as changes:
            assert any(isinstance(one, DiscoveredAccessory) and one.device_id == device_id for one in news)
            process.send_signal(signal.SIGINT)
            with pytest.raises(Disconnected):
                next(changes)
        assert any(isinstance(one, Gone) and one.device_id == device_id for one in news)
        output, trouble = process.communicate(timeout=LIMIT)
    assert output == "ended ['MainThread'] default_int_handler\n"
    assert not trouble
