"""Real mDNS on loopback. The host may be shared, so every name and id is drawn anew and strangers are overheard."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import trio
import trio.testing
import zeroconf
from zeroconf.asyncio import AsyncZeroconf

from hap_asyncio.browser import Browser, News, present
from hap_trio.bridge import Way, open_bridge
from hap_trio.mdns import Browsing, Mdns, open_mdns
from hapcore.discovery import SERVICE_TYPE, DiscoveredAccessory, FeatureFlags, Gone, ServiceRecord, StatusFlags
from hapcore.errors import LocalProtocolError
from hapcore.ip.interfaces import Interface

LOOPBACK = ["127.0.0.1"]
LIMIT = 20


def _ways() -> list[Way]:
    try:
        open_bridge(Way.TRIO_ASYNCIO)
    except ImportError:
        return [Way.THREAD]
    return [Way.TRIO_ASYNCIO, Way.THREAD]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """zeroconf's pauses between repeated packets, a tenth as long: nobody but us is on loopback."""
    for name, value in (
        ("_PROBE_RANDOM_DELAY_INTERVAL", (15, 25)),
        ("_CHECK_TIME", 50),
        ("_REGISTER_TIME", 23),
        ("_UNREGISTER_TIME", 13),
    ):
        monkeypatch.setattr(f"zeroconf._core.{name}", value)


@pytest.fixture(params=_ways(), ids=lambda way: way.value)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Way:
    """Sends `open_mdns` over one bridge or the other."""
    monkeypatch.setattr("hap_trio.bridge.open_bridge", lambda: open_bridge(request.param))
    return request.param


def _record(name: str | None = None, *, paired: bool = False, config_number: int = 1) -> ServiceRecord:
    return ServiceRecord(
        name or f"Lamp {secrets.token_hex(6)}",
        secrets.token_bytes(6).hex(":").upper(),
        config_number,
        5,
        StatusFlags(0) if paired else StatusFlags.NOT_PAIRED,
        model="Bench1,1",
        setup_hash="yf4bzw==",
    )


def _changed(record: ServiceRecord, *, paired: bool, config_number: int = 1) -> ServiceRecord:
    flags = StatusFlags(0) if paired else StatusFlags.NOT_PAIRED
    return ServiceRecord(
        record.name, record.device_id, config_number, 5, flags, model="Bench1,1", setup_hash="yf4bzw=="
    )


async def _next(news: Browsing, device_id: str) -> DiscoveredAccessory | Gone:
    """The next news of one accessory, whatever the neighbours announce."""
    async for item in news:
        if item.device_id == device_id:
            return item
    raise AssertionError("the browsing ended")


async def _found(news: Browsing, device_id: str) -> DiscoveredAccessory:
    item = await _next(news, device_id)
    assert isinstance(item, DiscoveredAccessory)
    return item


@pytest.fixture
async def near() -> AsyncIterator[Mdns]:
    """Announces without asking for names."""
    async with open_mdns(LOOPBACK, probe=False) as mdns:
        yield mdns


@pytest.fixture
async def far() -> AsyncIterator[Mdns]:
    """Another responder, as on another host."""
    async with open_mdns(LOOPBACK, probe=False) as mdns:
        yield mdns


async def test_announced_found_changed_and_gone(way: Way) -> None:
    record = _record()
    with trio.fail_after(LIMIT):
        async with open_mdns(LOOPBACK, probe=False) as near, open_mdns(LOOPBACK) as far, far.browse() as news:
            assert await near.advertise(record, 51826) == record.name
            assert await _found(news, record.device_id) == DiscoveredAccessory(
                name=record.name,
                device_id=record.device_id,
                addresses=("127.0.0.1",),
                port=51826,
                model="Bench1,1",
                category=5,
                config_number=1,
                state_number=1,
                feature_flags=FeatureFlags(0),
                status_flags=StatusFlags.NOT_PAIRED,
                setup_hash="yf4bzw==",
                protocol_version="1.1",
            )
            await near.update(_changed(record, paired=True))
            assert (await _found(news, record.device_id)).paired
            await near.withdraw(record.device_id)
            assert await _next(news, record.device_id) == Gone(record.name, record.device_id)


async def test_what_is_there_already_is_found(near: Mdns, far: Mdns) -> None:
    record = _record()
    with trio.fail_after(LIMIT):
        await near.advertise(record, 4711, ["127.0.0.1", "127.0.0.2"])
        for _ in range(2):  # from the network, then from the cache of the same responder
            async with far.browse() as news:
                found = await _found(news, record.device_id)
                assert (found.port, sorted(found.addresses)) == (4711, ["127.0.0.1", "127.0.0.2"])


async def test_changes_within_a_second_are_all_announced_and_heard(near: Mdns, far: Mdns) -> None:
    record = _record()
    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            for paired in (False, True, False, True, False):
                await near.advertise(_changed(record, paired=paired), 4711)
                assert (await _found(news, record.device_id)).paired is paired


async def test_repeats_of_an_old_record_do_not_undo_the_new_one(near: Mdns) -> None:
    record = _record()
    with trio.fail_after(LIMIT), _overhear("127.0.0.1") as wire:
        await near.advertise(record, 4711)
        await near.update(_changed(record, paired=True, config_number=2))
        heard = ""
        while heard.count("2") < 3:  # announced, then repeated twice
            packet = await wire.recv(9000)
            if record.device_id.encode() in packet:
                heard += "2" if b"c#=2" in packet else "1"
        assert heard == "1222"


async def test_no_announcement_equals_an_earlier_one(near: Mdns) -> None:
    """Receivers drop what looks like a repetition."""
    record = _record()
    packets: list[bytes] = []
    with trio.fail_after(LIMIT), _overhear("127.0.0.1") as wire:
        for paired in (False, True, False):
            await near.advertise(_changed(record, paired=paired), 4711)
            while True:
                packet = await wire.recv(9000)
                if record.device_id.encode() in packet:
                    break
            packets.append(packet)
    assert len(set(packets)) == 3


@contextmanager
def _overhear(address: str) -> Iterator[trio.socket.SocketType]:
    """All multicast DNS on one interface, without zeroconf."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain, trio.socket.from_stdlib_socket(plain) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sys.platform == "linux":
            listener.setsockopt(socket.IPPROTO_IP, 49, 0)  # IP_MULTICAST_ALL: the joined interface only
        member = struct.pack("4s4s", socket.inet_aton("224.0.0.251"), socket.inet_aton(address))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        plain.bind(("", 5353))
        yield listener


async def test_another_port_replaces_the_announcement(near: Mdns, far: Mdns) -> None:
    record = _record()
    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            await near.advertise(record, 4711)
            assert (await _found(news, record.device_id)).port == 4711
            assert await near.advertise(record, 4712) == record.name
            while True:
                item = await _next(news, record.device_id)
                if isinstance(item, DiscoveredAccessory) and item.port == 4712:
                    break


async def test_a_taken_name_gets_a_number(near: Mdns, way: Way) -> None:
    name = f"Lamp {secrets.token_hex(6)}"
    first, second, third = _record(name), _record(name), _record(name)
    with trio.fail_after(LIMIT):
        assert await near.advertise(first, 1) == name
        assert await near.advertise(second, 2) == f"{name} (2)"  # of the same responder: known without asking
        async with open_mdns(LOOPBACK, probe=True) as asking, asking.browse() as news:
            assert await asking.advertise(third, 3) == f"{name} (3)"
            names = {first.device_id: name, second.device_id: f"{name} (2)", third.device_id: f"{name} (3)"}
            async for item in news:
                if names.get(item.device_id) == item.name:
                    del names[item.device_id]
                if not names:
                    break


@asynccontextmanager
async def _foreign(name: str, host: str) -> AsyncIterator[None]:
    """A library that is not ours has this name, which it does not ask for, and never yields it."""
    info = zeroconf.ServiceInfo(
        SERVICE_TYPE,
        f"{name}.{SERVICE_TYPE}",
        port=4712,
        properties={"id": secrets.token_bytes(6).hex(":").upper(), "md": "Foreign"},
        server=f"{host}.local." if host else None,  # zeroconf calls the host like the service then
        parsed_addresses=["127.0.0.1"],
    )

    async def announce() -> AsyncZeroconf:
        other = AsyncZeroconf(interfaces=LOOPBACK)
        await other.async_register_service(info, cooperating_responders=True)
        return other

    async with open_bridge(Way.THREAD) as bridge:
        other = await bridge.run(announce)
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await bridge.run(other.async_close)


async def test_a_name_that_a_stranger_has_gets_a_number(way: Way) -> None:
    name = f"Lamp {secrets.token_hex(6)}"
    with trio.fail_after(LIMIT):
        async with _foreign(name, "stranger"), open_mdns(LOOPBACK) as asking:
            assert await asking.advertise(_record(name), 4711) == f"{name} (2)"


@pytest.mark.parametrize("host", ["zzz", "000"], ids=["who is before it", "who is after it, and never yields"])
async def test_a_name_that_a_stranger_takes_later_is_left_to_it(
    far: Mdns, way: Way, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("hapcore.ip.claims", "hap_asyncio.mdns"):
        monkeypatch.setattr(f"{module}.DEFENCE_SECONDS", 0.2)
    record = _record()
    with trio.fail_after(LIMIT):
        async with far.browse() as news, open_mdns(LOOPBACK, probe=False) as near:
            assert await near.advertise(record, 4711) == record.name
            assert (await _found(news, record.device_id)).name == record.name
            async with _foreign(record.name, host):
                while (await _next(news, record.device_id)).name != f"{record.name} (2)":
                    pass  # the two take turns
                await near.update(_changed(record, paired=True))
                changed = await _found(news, record.device_id)
                assert (changed.name, changed.paired) == (f"{record.name} (2)", True)


async def test_names_that_are_no_labels_are_announced_all_the_same(near: Mdns, far: Mdns) -> None:
    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            for name in (
                "Dr. Küche " + secrets.token_hex(4),
                "Lämp " * 20 + secrets.token_hex(4),
                "\x07Bell\n" + secrets.token_hex(4),
            ):
                record = _record(name)
                announced = await near.advertise(record, 4711)
                assert (await _found(news, record.device_id)).name == announced
                assert len(announced.encode()) <= 63


async def test_leaving_says_goodbye(far: Mdns, way: Way) -> None:
    record = _record()
    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            async with open_mdns(LOOPBACK, probe=False) as near:
                await near.advertise(record, 4711)
                await _found(news, record.device_id)
            assert await _next(news, record.device_id) == Gone(record.name, record.device_id)


async def test_being_cancelled_says_goodbye_too(far: Mdns, way: Way) -> None:
    record = _record()
    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            with trio.CancelScope() as scope:
                async with open_mdns(LOOPBACK, probe=False) as near:
                    await near.advertise(record, 4711)
                    await _found(news, record.device_id)
                    scope.cancel()
                    await trio.sleep_forever()
            assert scope.cancelled_caught
            assert await _next(news, record.device_id) == Gone(record.name, record.device_id)


async def test_a_failing_task_says_goodbye_too(far: Mdns, way: Way) -> None:
    record = _record()

    async def fail(news: Browsing) -> None:
        async with trio.open_nursery() as nursery, open_mdns(LOOPBACK, probe=False) as near:
            await near.advertise(record, 4711)
            await _found(news, record.device_id)

            async def crash() -> None:
                raise KeyError("mine")

            nursery.start_soon(crash)
            await trio.sleep_forever()

    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            with pytest.raises(BaseExceptionGroup):
                await fail(news)
            assert await _next(news, record.device_id) == Gone(record.name, record.device_id)


async def test_an_announcement_cancelled_while_asking_leaves_nothing(near: Mdns, way: Way) -> None:
    record = _record()
    with trio.fail_after(LIMIT):
        async with open_mdns(LOOPBACK, probe=True) as asking:
            with trio.move_on_after(0.01) as scope:
                await asking.advertise(record, 4711)
            assert scope.cancelled_caught
            with pytest.raises(LocalProtocolError, match="not announced"):
                await asking.update(record)
            assert await asking.advertise(record, 4711) == record.name


async def test_withdrawn_and_announced_again_keeps_the_name(far: Mdns, way: Way) -> None:
    record = _record()
    with trio.fail_after(LIMIT):
        async with open_mdns(LOOPBACK, probe=True) as asking:
            assert await asking.advertise(record, 4711) == record.name
            await asking.withdraw()
            await asking.withdraw()
            assert await asking.advertise(record, 4711) == record.name


async def test_what_is_not_announced_cannot_be_updated(near: Mdns) -> None:
    with pytest.raises(LocalProtocolError, match="not announced"):
        await near.update(_record())


async def test_browsing_ends_when_closed_and_a_slow_reader_gets_the_latest(near: Mdns, far: Mdns) -> None:
    record = _record()
    with trio.fail_after(LIMIT):
        news, witness = far.browse(), far.browse()
        async with news, witness:
            await near.advertise(record, 4711)
            await _found(witness, record.device_id)
            for number in (7, 8):
                await near.update(_changed(record, paired=True, config_number=number))
                assert (await _found(witness, record.device_id)).config_number == number
            async with trio.open_nursery() as nursery:
                # both hear each packet, in no particular order: the reader may be one packet behind, no more
                assert (await _found(news, record.device_id)).config_number in (7, 8)

                async def drain() -> None:
                    async for _ in news:
                        pass

                nursery.start_soon(drain)
                await trio.testing.wait_all_tasks_blocked()
                await news.aclose()
                await news.aclose()


async def test_a_reader_ends_with_the_mdns_it_is_of(way: Way) -> None:
    ended = trio.Event()

    async def read(news: Browsing, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with news:
            task_status.started()
            async for _ in news:
                pass
        ended.set()

    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as nursery, open_mdns(LOOPBACK) as mdns:
            await nursery.start(read, mdns.browse())
        assert ended.is_set()
        never_started = mdns.browse()
        await never_started.aclose()
        assert [item async for item in never_started] == []


async def test_a_reset_accessory_is_another_one(near: Mdns, far: Mdns) -> None:
    before = _record()
    after = ServiceRecord(before.name, secrets.token_bytes(6).hex(":").upper(), 1, 5, StatusFlags.NOT_PAIRED)
    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            await near.advertise(before, 4711)
            await _found(news, before.device_id)
            await near.withdraw()
            await near.advertise(after, 4711)
            seen: dict[str, DiscoveredAccessory | Gone] = {}
            async for item in news:
                seen[item.device_id] = item
                if after.device_id in seen and isinstance(seen.get(before.device_id), Gone):
                    break
            assert isinstance(seen[after.device_id], DiscoveredAccessory)


# --- what others send -------------------------------------------------------------------------------------------------


def _say(name: str, device_id: str, *kinds: str, ttl: int = 120, name_ttl: int = 4500) -> None:
    """Send some of the records of an accessory, as a foreign responder would: "PTR", "SRV", "TXT", "A"."""
    instance, host, flush = f"{name}.{SERVICE_TYPE}", f"{device_id.replace(':', '')}.local.", 1 | 0x8000
    records = {
        "PTR": zeroconf.DNSPointer(SERVICE_TYPE, 12, 1, name_ttl, instance),
        "SRV": zeroconf.DNSService(instance, 33, flush, ttl, 0, 0, 4711, host),
        "TXT": zeroconf.DNSText(instance, 16, flush, ttl, bytes([len(device_id) + 3]) + b"id=" + device_id.encode()),
        "A": zeroconf.DNSAddress(host, 1, flush, ttl, socket.inet_aton("127.0.0.1")),
    }
    out = zeroconf.DNSOutgoing(0x8400)
    for kind in kinds:
        out.add_answer_at_time(records[kind], 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        for packet in out.packets():
            sender.sendto(packet, ("224.0.0.251", 5353))


ALL = ("PTR", "SRV", "TXT", "A")


async def test_missing_records_are_asked_for(far: Mdns, way: Way) -> None:
    record = _record()
    with trio.fail_after(LIMIT), _overhear("127.0.0.1") as wire:
        async with open_mdns(LOOPBACK) as mdns, mdns.browse() as news:
            _say(record.name, record.device_id, "PTR")
            question = b"\x00\x00\x21"  # SRV, after the end of the name
            while question not in (packet := await wire.recv(9000)) or record.name.encode() not in packet:
                pass
            _say(record.name, record.device_id, "SRV", "TXT", "A")
            assert (await _found(news, record.device_id)).port == 4711


async def test_what_never_resolves_is_forgotten(far: Mdns, way: Way) -> None:
    record = _record()
    with trio.fail_after(LIMIT), _overhear("127.0.0.1") as wire:
        async with open_mdns(LOOPBACK) as mdns, mdns.browse() as news:
            _say(record.name, record.device_id, "PTR")
            while record.name.encode() not in await wire.recv(9000):
                pass
            _say(record.name, record.device_id, "PTR", name_ttl=0)
            other = _record()
            _say(other.name, other.device_id, *ALL)
            assert (await _found(news, other.device_id)).name == other.name


async def test_another_device_under_the_same_name_replaces_the_first(far: Mdns) -> None:
    before, after = _record(), _record()
    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            _say(before.name, before.device_id, *ALL)
            await _found(news, before.device_id)
            _say(before.name, after.device_id, *ALL)
            assert await _next(news, before.device_id) == Gone(before.name, before.device_id)
            assert (await _found(news, after.device_id)).name == before.name


async def test_a_renamed_accessory_is_not_gone(far: Mdns) -> None:
    record, other = _record(), _record()
    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            _say(record.name, record.device_id, *ALL)
            await _found(news, record.device_id)
            _say("New " + record.name, record.device_id, *ALL)
            assert (await _found(news, record.device_id)).name == "New " + record.name
            _say(record.name, record.device_id, "PTR", name_ttl=0)
            _say(other.name, other.device_id, *ALL)
            async for item in news:
                assert not isinstance(item, Gone) or item.device_id != record.device_id
                if item.device_id == other.device_id:
                    break
            _say("New " + record.name, record.device_id, "PTR", name_ttl=0)
            assert isinstance(await _next(news, record.device_id), Gone)


async def test_without_an_id_it_is_nobody(far: Mdns) -> None:
    nobody, other = _record(), _record()
    with trio.fail_after(LIMIT):
        async with far.browse() as news:
            _say(nobody.name, "", *ALL)
            _say(other.name, other.device_id, *ALL)
            async for item in news:
                assert item.name != nobody.name
                if item.device_id == other.device_id:
                    break


async def test_who_fell_silent_is_news_when_it_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address was not told again before its time was over, nobody answered, and then it is as it was."""
    monkeypatch.setattr("hap_asyncio.browser._RESOLVE_TIME", 50)
    name = f"Lamp {secrets.token_hex(6)}"
    host = f"{secrets.token_hex(6)}.local."
    info = zeroconf.ServiceInfo(
        SERVICE_TYPE,
        f"{name}.{SERVICE_TYPE}",
        port=4712,
        properties={"id": secrets.token_bytes(6).hex(":").upper(), "md": "Foreign"},
        server=host,
        parsed_addresses=["127.0.0.1"],
    )

    async def scenario() -> None:
        far, near = AsyncZeroconf(interfaces=LOOPBACK), AsyncZeroconf(interfaces=LOOPBACK)
        await far.zeroconf.async_wait_for_start()
        await near.zeroconf.async_wait_for_start()
        news: asyncio.Queue[News] = asyncio.Queue()

        async def heard(lifetime: int) -> None:  # zeroconf passes over the same packet within a second
            near.zeroconf.async_send(near.zeroconf.generate_service_broadcast(info, lifetime))
            while (await news.get()).name != name:
                pass

        browser = Browser(far.zeroconf, news.put_nowait, lambda _: None)
        try:
            await heard(60)
            cache = far.zeroconf.cache
            cache.async_remove_records(cache.async_entries_with_name(host))
            gone = zeroconf.DNSAddress(host, 1, 1, 1, bytes(4), created=1.0)
            browser.async_update_records(far.zeroconf, 2000.0 * 1e9, [zeroconf.RecordUpdate(gone, None)])
            browser.async_update_records_complete()
            await asyncio.gather(*browser._resolving.values())
            await heard(61)
        finally:
            await browser.close()
            await far.async_close()
            await near.async_close()

    with trio.fail_after(LIMIT):
        async with open_bridge(Way.THREAD) as bridge:
            await bridge.run(scenario)


# --- interfaces that come and go --------------------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[Interface]:
    """The interfaces of this machine as a test wants them; there is nobody who tells of changes, as on most systems."""
    interfaces = [Interface("lo", 0, ("127.0.0.1",))]
    monkeypatch.setattr("hap_asyncio.mdns.present", lambda: list(interfaces))
    monkeypatch.setattr("hap_asyncio.browser._open_netlink", lambda: None)
    monkeypatch.setattr("hap_asyncio.browser._LOOK_INTERVAL", 0.01)
    return interfaces


async def test_addresses_that_come_and_go_are_followed(machine: list[Interface], way: Way) -> None:
    if sys.platform != "linux":
        return  # 127.0.0.2 takes no rights here only
    record, named, fixed = _record(), _record(), _record()
    with trio.fail_after(LIMIT):
        async with open_mdns(LOOPBACK, probe=False) as far, open_mdns(probe=False) as near, far.browse() as news:
            await near.advertise(record, 4711)
            await near.advertise(named, 4711, ["lo"])
            await near.advertise(fixed, 4711, ["127.0.0.9"])
            waiting = {record.device_id, named.device_id, fixed.device_id}
            while waiting:
                waiting.discard((await anext(news)).device_id)
            machine[0] = Interface("lo", 0, ("127.0.0.1", "127.0.0.2"))
            for one in (record, named):
                while set((await _found(news, one.device_id)).addresses) != {"127.0.0.1", "127.0.0.2"}:
                    pass
            await near.update(_changed(fixed, paired=True))
            assert (await _found(news, fixed.device_id)).addresses == ("127.0.0.9",)


async def test_who_looks_hears_on_an_interface_that_comes_later(machine: list[Interface], near: Mdns, way: Way) -> None:
    record = _record()
    lo = machine.pop()
    with trio.fail_after(LIMIT):
        async with open_mdns() as far, far.browse() as news:
            await near.advertise(record, 4711)
            machine.append(lo)
            await _found(news, record.device_id)


async def test_a_host_with_the_name_of_its_service_is_asked_for_again(machine: list[Interface], way: Way) -> None:
    """The accessory of homekit_python is one."""
    if sys.platform != "linux":
        return  # 127.0.0.2 takes no rights here only
    name, record = f"Lamp {secrets.token_hex(6)}", _record()
    with trio.fail_after(LIMIT):
        async with _foreign(name, ""), open_mdns(probe=False) as mdns, mdns.browse() as news:
            while (await anext(news)).name != name:
                pass
            await mdns.advertise(record, 4711)
            for addresses in (("127.0.0.1", "127.0.0.2"), ("127.0.0.1",)):  # the second follows when the first is over
                machine[0] = Interface("lo", 0, addresses)
                while set((await _found(news, record.device_id)).addresses) != set(addresses):
                    pass


# --- interfaces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interfaces", [["nonsense"], ["127.0.0.1", "nonsense"], ["127.0.0.1%"], []])
async def test_what_is_no_interface_is_the_callers_mistake(way: Way, interfaces: list[str]) -> None:
    with pytest.raises(LocalProtocolError, match="interfaces"):
        async with open_mdns(interfaces):
            raise AssertionError


async def test_an_interface_has_a_name(far: Mdns, way: Way) -> None:
    name = next(interface.name for interface in present() if "127.0.0.1" in interface.addresses)
    record = _record()
    with trio.fail_after(LIMIT):
        async with far.browse() as news, open_mdns([name], probe=False) as near:
            await near.advertise(record, 4711)
            assert "127.0.0.1" in (await _found(news, record.device_id)).addresses


async def test_an_address_of_somebody_else_is_an_os_error(way: Way) -> None:
    with pytest.raises(OSError, match=r"198\.51\.100\.77 is no interface.*assign"):
        async with open_mdns(["198.51.100.77"]):
            raise AssertionError


async def test_an_error_in_the_block_comes_out_as_it_is(way: Way) -> None:
    async def fail() -> None:
        async with open_mdns(LOOPBACK, probe=False) as near:
            await near.advertise(_record(), 4711)
            raise KeyError("mine")

    with trio.fail_after(LIMIT), pytest.raises(KeyError, match="mine"):
        await fail()


async def test_only_the_chosen_interface_hears(near: Mdns) -> None:
    """Nothing of an accessory announced on loopback reaches a listener on the machine's other addresses."""
    record = _record()
    others = [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    own = next((str(address) for address in others if not str(address).startswith("127.")), None)
    if own is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            try:
                route.connect(("192.0.2.1", 9))
                own = route.getsockname()[0]
            except OSError:
                return  # a machine with loopback only: there is nobody who must not hear
    with trio.fail_after(LIMIT), _overhear(str(own)) as elsewhere:
        await near.advertise(record, 4711)
        with trio.move_on_after(0.1):
            while True:
                assert record.device_id.encode() not in await elsewhere.recv(9000)


def test_importing_costs_no_asyncio() -> None:
    program = (
        "import sys, hap_trio.mdns; print([m for m in ('asyncio', 'zeroconf', 'trio_asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_whole_life_warns_about_nothing() -> None:
    program = """
import sys, trio
from hap_trio.mdns import open_mdns
from hapcore.discovery import ServiceRecord
async def main():
    async with open_mdns(["127.0.0.1"], probe=False) as mdns, mdns.browse() as news:
        await mdns.advertise(ServiceRecord("Quiet lamp", sys.argv[1], 1, 5, 1), 4711)
        async for found in news:
            if found.device_id == sys.argv[1]:
                break
trio.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program, _record().device_id],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
