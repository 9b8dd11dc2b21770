"""A database that changes while something is under way: events that wait, rights, values, writes, the store."""

from __future__ import annotations

import json

import pytest
from tests.core.accessory_rig import JSON, Rig, kind

from hapcore.accessory.commands import (
    AddAccessories,
    AnswerWrite,
    RefreshDatabase,
    RemoveAccessories,
    ReplaceDatabase,
    UpdateValues,
)
from hapcore.accessory.events import SnapshotRequested, WriteRequested
from hapcore.accessory.handlers import consult
from hapcore.catalogue.services import Lightbulb, Switch
from hapcore.codec.http import write_request
from hapcore.engine import Persist
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic
from hapcore.model.metadata import Format
from hapcore.model.service import Service, ServiceType


def _entry(one, value):
    return {"aid": one.id.aid, "iid": one.id.iid, "value": value}


def test_an_event_that_waits_its_second_is_told_all_the_same():
    shelf = Lightbulb("Shelf", on=False, brightness=10)
    rig = Rig(accessories=[Accessory.bridge("Bridge"), Accessory.of(shelf)])
    line = rig.session()
    line.put({"aid": shelf.brightness.id.aid, "iid": shelf.brightness.id.iid, "ev": True})
    rig.submit(UpdateValues({shelf.brightness.id: 20}))
    rig.submit(UpdateValues({shelf.brightness.id: 30}))
    assert line.events() == [[_entry(shelf.brightness, 20)]]
    rig.submit(AddAccessories(Switch("Window")))
    rig.pass_time(1.0)
    assert line.events() == [[_entry(shelf.brightness, 30)]]


def test_what_comes_with_another_value_is_told():
    """Values are nothing that c# tells of: whoever has subscribed would never know."""
    rig = Rig(accessories=[Accessory.of(Lightbulb("Shelf", on=False, brightness=10))])
    line = rig.session()
    old = rig.server.database.accessories[0].main_service
    line.put(*({"aid": one.id.aid, "iid": one.id.iid, "ev": True} for one in (old.on, old.brightness)))
    before = rig.server.config_number
    new = Lightbulb("Shelf", on=False, brightness=70)
    rig.submit(ReplaceDatabase([Accessory.of(new)]))
    assert rig.server.config_number == before
    assert line.events() == [[_entry(new.brightness, 70)]]


def _service(**rights):
    service = Service(ServiceType("Test", "AD0000FF-0000-4000-8000-000000000000"), iid=9)
    one = service.add(Characteristic(kind("Level", 1, Format.UINT8, "pr pw ev", int), 3, iid=10, **rights))
    return service, one


def test_what_only_admins_may_read_from_now_on_is_told_to_them_only():
    service, one = _service()
    rig = Rig(accessories=[Accessory("Test", services=[service])])
    admin, guest = rig.session(seed="admin"), rig.session(admin=False, seed="guest")
    for line in (admin, guest):
        assert line.put({"aid": 1, "iid": 10, "ev": True}).status == 204
    service, one = _service(admin_only_read=True)
    rig.submit(ReplaceDatabase([Accessory("Test", services=[service])]))
    rig.submit(UpdateValues({one.id: 4}))
    assert admin.events() == [[_entry(one, 4)]]
    assert guest.events() == []


@pytest.mark.parametrize("form", [Format.STRING, Format.UINT8])
def test_a_write_under_way_to_what_means_something_else_now(form):
    service, one = _service()
    one.setter(lambda _value, _caller: None)
    rig = Rig(accessories=[Accessory("Test", services=[service])])
    line = rig.session()
    line.send(
        b"PUT /characteristics HTTP/1.1\r\nHost: a\r\nContent-Length: 56\r\n\r\n"
        b'{"characteristics":[{"aid":1,"iid":10,"value":200}]}    '
    )
    asked = rig.said(WriteRequested)[0]
    other = Service(ServiceType("Test", "AD0000FF-0000-4000-8000-000000000000"), iid=9)
    python, limits = (str, {}) if form is Format.STRING else (int, {"max": 100})
    new = other.add(Characteristic(kind("Level", 1, form, "pr pw ev", python, **limits), iid=10))
    rig.submit(ReplaceDatabase([Accessory("Test", services=[other])]))
    held = new.value
    rig.submit(AnswerWrite(asked.request))
    assert line.take().status == 204
    assert new.value == held
    assert json.loads(line.get("1.10").body)["characteristics"][0]["value"] == held


def test_a_write_under_way_to_what_was_made_anew_counts():
    service, one = _service()
    one.setter(lambda _value, _caller: None)
    rig = Rig(accessories=[Accessory("Test", services=[service])])
    line = rig.session()
    line.send(
        b"PUT /characteristics HTTP/1.1\r\nHost: a\r\nContent-Length: 52\r\n\r\n"
        b'{"characteristics":[{"aid":1,"iid":10,"value":200}]}'
    )
    service, new = _service()
    rig.submit(ReplaceDatabase([Accessory("Test", services=[service])]))
    rig.submit(AnswerWrite(rig.said(WriteRequested)[0].request))
    assert line.take().status == 204
    assert new.value == 200


def test_what_a_setter_returns_is_a_reading_only_where_it_can_be_read_back():
    """A controller may ask of every write that it be read back. Where that is refused, the write stands."""
    service, one = _service()
    one.setter(lambda value, _caller: 7)
    rig = Rig(accessories=[Accessory("Test", services=[service])])

    def application(event):
        inquiry = consult(event, rig.server.database, lambda command: rig.server.submit(command, rig.now), print, {})
        if inquiry is not None:
            assert not inquiry.begin()

    rig.application = application
    line = rig.session()
    answer = line.put({"aid": 1, "iid": 10, "value": 5, "r": True})
    assert json.loads(answer.body)["characteristics"] == [{"aid": 1, "iid": 10, "status": -70405}]
    assert one.value == 5


def test_another_order_is_no_other_configuration():
    def lamps():
        return [
            Accessory("One", services=[Switch("One")], firmware_revision="1.0"),
            Accessory("Two", services=[Switch("Two")], firmware_revision="2.0"),
        ]

    rig = Rig(accessories=[Accessory.bridge("Bridge"), *lamps()])
    before = rig.server.config_number
    rig.submit(ReplaceDatabase([Accessory.bridge("Bridge"), *reversed(lamps())]))
    assert rig.server.config_number == before


def test_what_could_not_be_stored_is_stored_with_the_next_change():
    rig = Rig(accessories=[Accessory.bridge("Bridge")])
    rig.store_works = False
    window = Switch("Window")
    rig.submit(AddAccessories(window))
    rig.store_works = True
    rig.submit(RefreshDatabase())
    assert json.loads(rig.state["database"])["config_number"] == rig.server.config_number
    assert json.loads(rig.state["ids"]) == dict(rig.server.database.ids)
    stored = rig.said(Persist)
    rig.submit(RefreshDatabase())
    assert rig.said(Persist) == stored, "what is safe is not stored again"


@pytest.mark.parametrize("what", ["write", "picture"])
def test_what_is_gone_when_its_handler_would_be_asked(what):
    """The question waits behind what is being stored; nobody must be told that nobody has done it."""
    window = Accessory("Window", services=[Switch("Window", on=False)])
    window.snapshot(lambda _wanted, _caller: b"\xff\xd8")
    one = window.main_service.on
    one.setter(lambda _value, _caller: None)
    rig = Rig(accessories=[Accessory.bridge("Bridge"), window])
    line = rig.session()
    body = b'{"characteristics":[{"aid":%d,"iid":%d,"value":true}]}' % one.id
    if what == "write":
        line.send(write_request("PUT", "/characteristics", "a", JSON, body))
        asked = rig.said(WriteRequested)[0]
    else:
        body = b'{"resource-type":"image","image-width":10,"image-height":10,"aid":%d}' % one.id.aid
        line.send(write_request("POST", "/resource", "a", JSON, body))
        asked = rig.said(SnapshotRequested)[0]
    rig.submit(RemoveAccessories(window))
    complaints = []
    inquiry = consult(asked, rig.server.database, rig.submit, lambda *told: complaints.append(told), {})
    assert inquiry is not None
    assert not inquiry.begin()
    answer = line.take()
    assert (answer.status, complaints) == (207, [])
    assert b"-70409" in answer.body
