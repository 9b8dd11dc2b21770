"""Another database while controllers are connected (HAP 11.2): c#, subscriptions, and requests under way."""

from __future__ import annotations

import json

import pytest
from tests.core.accessory_rig import Lamp, Rig

from hapcore.accessory.commands import AddAccessories
from hapcore.catalogue.services import Lightbulb, Switch
from hapcore.discovery import Advertise
from hapcore.ip.accessory import AnswerRead, AnswerWrite, ReadRequested, ReplaceDatabase, UpdateValues, WriteRequested
from hapcore.model.accessory import Accessory
from hapcore.model.information import NAME


def test_the_number_of_the_configuration_follows_the_database():
    rig = Rig()
    assert rig.server.config_number == 1
    rig.submit(ReplaceDatabase([Lamp().accessory]))
    assert rig.server.config_number == 1, "the same again"
    rig.submit(ReplaceDatabase([Accessory("Test lamp")]))
    assert rig.server.config_number == 2
    assert rig.said(Advertise)[-1].record.config_number == 2
    assert json.loads(rig.state["database"])["config_number"] == 2
    assert Rig(rig.state, accessories=[Accessory("Test lamp")]).server.config_number == 2


def test_subscriptions_go_over_to_what_is_still_there():
    rig = Rig()
    line = rig.session()
    assert line.put({"aid": 1, "iid": 10, "ev": True}, {"aid": 1, "iid": 11, "ev": True}).status == 204
    new = Lamp()
    new.accessory.services[-1].characteristics.remove(new.level)
    rig.submit(ReplaceDatabase([new.accessory]))
    rig.submit(UpdateValues({new.on.id: True}))
    assert line.events() == [[{"aid": 1, "iid": 10, "value": 1}]]
    assert line.get("1.10", "1.11").body == (
        b'{"characteristics":[{"aid":1,"iid":10,"status":0,"value":1},{"aid":1,"iid":11,"status":-70409}]}'
    )


def test_questions_under_way_are_answered_from_the_new_database():
    rig = Rig()
    rig.lamp.asked.getter(lambda caller: 1)
    rig.lamp.asked.setter(lambda value, caller: None)
    reader, writer = rig.session(), rig.session(seed="writer")
    reader.send(b"GET /characteristics?id=1.17,1.10 H\n\n")
    body = b'{"characteristics":[{"aid":1,"iid":17,"value":7}]}'
    writer.send(b"PUT /characteristics H\nContent-Length:%d\n\n%b" % (len(body), body))
    rig.submit(ReplaceDatabase([Accessory("Test lamp")]))
    rig.submit(AnswerRead(rig.said(ReadRequested)[-1].request, {rig.lamp.asked.id: 5}))
    rig.submit(AnswerWrite(rig.said(WriteRequested)[-1].request))
    assert [one["status"] for one in json.loads(reader.take().body)["characteristics"]] == [-70409, -70409]
    assert writer.take().status == 204


@pytest.mark.parametrize("key", [None, "lamp-1"])
def test_a_new_name_is_read_and_changes_no_number(key):
    lamp = Accessory("Shelf", services=[Lightbulb(on=False)], key=key)
    rig = Rig(accessories=[Accessory.bridge("Bridge"), lamp])
    line = rig.session()
    numbers = dict(rig.server.database.ids)
    lamp.name = "Ceiling"
    lamp.name = "Window"
    assert json.loads(line.get(str(lamp.information[NAME].id)).body)["characteristics"][0]["value"] == "Window"
    rig.submit(AddAccessories(Accessory("Shelf", services=[Switch(on=False)], key="another")))
    assert numbers.items() <= dict(rig.server.database.ids).items()
    assert rig.server.database.accessories[1].aid == 2
    assert lamp.main_service.on.id == (2, numbers["lamp-1/43/25" if key else "Shelf/43/25"])
