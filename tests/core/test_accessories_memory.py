"""A large database is never held twice, however many ask for it and however slowly they take it (HAP 8.6)."""

from __future__ import annotations

import json
import tracemalloc

from tests.core.accessory_rig import Rig

from hapcore.catalogue.services import Lightbulb
from hapcore.ip.accessory import UpdateValues
from hapcore.model.accessory import Accessory

READERS = 40


def bridge() -> list[Accessory]:
    lamps = [Accessory(f"Lamp {number}", services=[Lightbulb(on=False, brightness=1)]) for number in range(149)]
    return [Accessory.bridge("Bridge"), *lamps]


def test_readers_that_take_nothing_share_the_text() -> None:
    rig = Rig(accessories=bridge())
    warm = rig.session(seed="warm")
    size = len(warm.ask("GET", "/accessories").body)
    assert size > 100_000
    lines = [rig.session(seed=f"reader {number}") for number in range(READERS)]
    for line in lines:
        rig.server.pause_sending(line.connection, rig.now)
    requests = [line.sealer.seal(b"GET /accessories HTTP/1.1\r\n\r\n") for line in lines]
    rig.outputs.clear()
    tracemalloc.start()
    for line, request in zip(lines, requests, strict=True):
        rig.feed(line, request)
        rig.server.resume_sending(line.connection, rig.now)
        rig.server.pause_sending(line.connection, rig.now)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < size, f"{READERS} readers hold {held} bytes beside a database of {size}"


def test_what_changes_meanwhile_does_not_change_the_answer() -> None:
    rig = Rig(accessories=bridge())
    line, watcher = rig.session(), rig.session(seed="watcher")
    number = rig.server.database.accessories[149].services[1].characteristics[0].id
    watcher.put({"aid": number.aid, "iid": number.iid, "ev": True})
    rig.server.pause_sending(line.connection, rig.now)
    line.send(b"GET /accessories HTTP/1.1\r\n\r\n")
    rig.server.resume_sending(line.connection, rig.now)
    rig.server.pause_sending(line.connection, rig.now)
    rig.submit(UpdateValues({number: True}))
    assert not line.messages
    rig.server.resume_sending(line.connection, rig.now)
    rig.drain()
    before = json.loads(line.take().body)
    after = json.loads(line.ask("GET", "/accessories").body)
    seen = json.loads(watcher.ask("GET", "/accessories").body) if not watcher.messages.clear() else None

    def show(body: dict) -> tuple[object, object]:
        found = body["accessories"][149]["services"][1]["characteristics"][0]
        return found["value"], found["ev"]

    assert (show(before), show(after), show(seen)) == ((0, False), (1, False), (1, True))
