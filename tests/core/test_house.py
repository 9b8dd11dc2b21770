"""What a house file may say: what it makes, what is refused and how, and where a value can get to."""

from __future__ import annotations

import json
import tomllib
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.docs.pages import ROOT, blocks

from hapcore.catalogue import services
from hapcore.catalogue.characteristics import PROGRAMMABLE_SWITCH_EVENT
from hapcore.catalogue.values import LockCurrentState, ProgrammableSwitchEvent, TargetHeatingCoolingState
from hapcore.engine import ConnectionId
from hapcore.errors import LocalProtocolError, ValueRefused
from hapcore.house import Call, House, Run, read
from hapcore.house.actions import LONGEST
from hapcore.house.names import characteristic_types
from hapcore.house.values import as_json, as_text, from_answer
from hapcore.ids import Caller, Transport
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.database import Database
from hapcore.model.metadata import Format, Metadata

NASTY = [
    "; rm -rf /",
    "$(touch owned)",
    "`touch owned`",
    "a\nb\r\nc",
    "' \" \\ | & > < * ? ~ # ! %PATH%",
    "",
    "\u2028\U0001f4a1 näh",
    "{value}",
    "/../../admin?x=1#y",
    "a&on=true",
]


def house(text: str) -> House:
    return read(tomllib.loads(text), "house.toml")


def refusal(text: str) -> str:
    with pytest.raises(LocalProtocolError) as caught:
        house(text)
    message = str(caught.value)
    assert message.startswith("house.toml: ")
    assert "\n" not in message
    return message.removeprefix("house.toml: ")


def lamp(rest: str) -> str:
    return f'[accessories.lamp]\nservice = "lightbulb"\n{rest}'


def tv(rest: str) -> str:
    """With a text that can be written."""
    return f'[accessories.tv]\nservice = "television"\n{rest}'


# --- what it makes ----------------------------------------------------------------------------------------------------


def test_the_example_has_everything():
    made = read(tomllib.loads((ROOT / "examples" / "house.toml").read_text(encoding="utf-8")), "house.toml")
    bridge, desk, heating, door, strip, bell = made.accessories
    names = ["Our house", "Desk lamp", "Heating", "Front door", "Power strip", "Doorbell"]
    assert [one.name for one in made.accessories] == names
    assert (bridge.category, desk.key, strip.key) == (2, "desk-lamp", "strip")
    main = desk.main_service
    assert isinstance(main, services.Lightbulb)
    assert (main.on.value, main.brightness.value) == (False, 40)
    warm = heating.main_service
    assert isinstance(warm, services.Thermostat)
    assert warm.target_heating_cooling_state.value is TargetHeatingCoolingState.HEAT
    meta = warm.target_temperature.metadata
    assert (meta.min, meta.max, meta.step) == (12, 26, 0.5)
    lock = door.main_service
    assert isinstance(lock, services.LockMechanism)
    assert lock.lock_current_state.value is LockCurrentState.SECURED
    assert [one.key for one in strip.services[1:]] == ["left", "right"]
    assert [str(one.place) for one in made.writes] == [
        "desk-lamp.on",
        "desk-lamp.brightness",
        "heating.target_temperature",
        "strip.left.on",
    ]
    assert [(str(one.place), one.max_age, one.every, one.path) for one in made.polls] == [
        ("desk-lamp.on", 1.0, 5, ()),
        ("heating.current_temperature", 10, 60, ("rooms", "0", "celsius")),
    ]
    (ring,) = made.listens
    assert ring.place.characteristic is bell.find(PROGRAMMABLE_SWITCH_EVENT)
    assert {one.target for one in made.follows} == {warm.target_heating_cooling_state, lock.lock_target_state}
    assert "Bearer" not in repr(made)


@pytest.mark.parametrize("block", blocks(ROOT / "docs" / "house.md", "toml"), ids=str)
def test_the_page_shows_what_can_be_read(block):
    house(block.text)


def test_every_service_and_every_characteristic_has_a_name():
    for name in sorted({*dir(services)} - {"AccessoryInformation", "Pairing"}):
        kind = getattr(services, name)
        made = house(f'[accessories.it]\nservice = "{name}"').accessories[0].services[1]
        assert type(made) is kind
        for keyword, characteristic in characteristic_types(kind).items():
            values = house(f'[accessories.it]\nservice = "{name}"\n[accessories.it.values.{keyword}]').accessories[0]
            assert values.services[1].get(characteristic) is not None


@pytest.mark.parametrize("name", ["lock", "Lock Mechanism", "lock-mechanism", "LOCK_MECHANISM"])
def test_names_are_written_in_many_ways(name):
    made = house(f'[accessories.x]\nservice = "{name}"\nvalues."Lock Target State" = "secured"')
    assert isinstance(made.accessories[0].services[1], services.LockMechanism)


def test_numbers_hang_on_keys():
    before = Database(house('bridge = true\n[accessories.a]\nname = "A"\nservice = "switch"').accessories)
    text = 'name = "Other"\n[accessories.b]\nservice = "fan"\n[accessories.a]\nname = "Renamed"\nservice = "switch"'
    after = Database(house(text).accessories, before.ids)
    assert before.accessories[1].aid == after.accessories[2].aid
    assert before.accessories[1].services[1].iid == after.accessories[2].services[1].iid
    assert after.accessories[1].aid not in [one.aid for one in before.accessories]


def test_what_is_polled_follows_nothing():
    text = '[accessories.d]\nservice = "lock"\npoll.lock_current_state.run = ["bolt"]'
    assert house(text).follows == ()
    assert len(house('[accessories.d]\nservice = "lock"').follows) == 1


# --- what is refused --------------------------------------------------------------------------------------------------

ACT = 'wanted either run = ["command", "argument"] or url = "http://..."'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are no accessories: begin with a table [accessories.KEY] and its service"),
        ("nmae = 'x'", "unknown key 'nmae'; did you mean 'name'?"),
        ("accessories = 5", "accessories: wanted a table, got a number"),
        ("name = 5", "name: wanted a text, got a number"),
        ("bridge = 'yes'\n", "bridge: wanted true or false, got a text"),
        ("setup_code = '123-45-678'\n" + lamp(""), "setup_code: "),
        ("bridge = false\n" + lamp("") + "[accessories.b]\nservice='fan'", "bridge: 2 accessories need a bridge"),
        ("[accessories.a]", 'accessories.a: there is no service: service = "lightbulb", for example'),
        ("[accessories.a]\nservice = 'lightblub'", "accessories.a.service: there is no service 'lightblub'"),
        ("[accessories.a]\nservice = 'pairing'", "accessories.a.service: there is no service 'pairing'"),
        ("[accessories.a]\nservice = ['fan']", "accessories.a.service: wanted a text, got a list"),
        (lamp("valeus = {}"), "accessories.lamp: unknown key 'valeus'; did you mean 'values'?"),
        (lamp("model = 'X'"), "Model: accessory 'Lamp': wanted at least 2 characters"),
        (lamp("name = '" + "x" * 65 + "'"), "accessories.lamp: Name: the text is longer than 64 bytes"),
        (lamp("values.britness = 1"), "accessories.lamp.values: the service has no characteristic 'britness'; did you"),
        (lamp("values.on = 'x'"), "accessories.lamp.values.on: wanted True or False"),
        (lamp("values.brightness = 101"), "accessories.lamp.values.brightness: 101 is not within 0 to 100"),
        (lamp("values.brightness = [1]"), "accessories.lamp.values.brightness: wanted a value, got list"),
        (lamp("values.brightness = 1979-05-27"), "accessories.lamp.values.brightness: wanted a value, got date"),
        (lamp("values.hue = nan"), "accessories.lamp.values.hue: nan is not within 0 to 360"),
        (lamp("values.brightness = 1\nvalues.Brightness = 1"), "accessories.lamp.values.Brightness: it is there twice"),
        (lamp("values.brightness = {mni=5}"), "accessories.lamp.values.brightness: unknown key 'mni'; did you mean"),
        (lamp("values.brightness = {min=inf}"), "accessories.lamp.values.brightness.min: inf is not within"),
        (lamp("values.brightness = {min=9, max=1}"), "accessories.lamp.values.brightness: "),
        (
            "[accessories.a]\nservice='lock'\nvalues.lock_target_state='ajar'",
            "accessories.a.values.lock_target_state: 'a",
        ),
        (
            lamp("values.characteristic_value_transition_control='#'"),
            "accessories.lamp.values.characteristic_value_tra",
        ),
        (lamp("write.on = 'lamp'"), "accessories.lamp.write.on: wanted a table, got a text"),
        (lamp("write.on = {}"), f"accessories.lamp.write.on: {ACT}"),
        (lamp("write.on = {run=['x'], url='http://h'}"), f"accessories.lamp.write.on: {ACT}"),
        (lamp("write.on.rnu = ['x']"), "accessories.lamp.write.on: unknown key 'rnu'; did you mean 'run'?"),
        (lamp("write.on.run = 'lamp on'"), "accessories.lamp.write.on.run: wanted a list of texts, got a text"),
        (
            lamp("write.on.run = ['lamp', 5]"),
            "accessories.lamp.write.on.run: wanted a list of texts, got a number in it",
        ),
        (
            lamp("write.on.run = []"),
            "accessories.lamp.write.on.run: wanted a list of texts: the command and its argume",
        ),
        (
            lamp("write.on.run = ['']"),
            "accessories.lamp.write.on.run: wanted a list of texts: the command and its argu",
        ),
        (lamp('write.on.run = ["a\\u0000b"]'), "accessories.lamp.write.on.run: no argument can hold a NUL"),
        (lamp("write.on = {run=['x'], method='GET'}"), "accessories.lamp.write.on.method: goes with a url only"),
        (lamp("write.on = {run=['x'], timeout=9}"), "accessories.lamp.write.on.timeout: 9 is not within 0.05 to 8"),
        (lamp("write.on = {run=['x'], timeout=nan}"), "accessories.lamp.write.on.timeout: nan is not within"),
        (lamp("write.on = {run=['x'], every=9}"), "accessories.lamp.write.on: unknown key 'every'"),
        (lamp("write.on = {url='http://h', method='TRACE'}"), "accessories.lamp.write.on.method: wanted one of GET"),
        (lamp("write.on = {url='http://h', headers={a=5}}"), "accessories.lamp.write.on.headers.a: wanted a text"),
        (lamp("write.on = {url='http://h', headers={'a b'='x'}}"), "accessories.lamp.write.on.headers.a b: wanted the"),
        (lamp('write.on = {url="http://h", headers={a="x\\r\\nb: c"}}'), "accessories.lamp.write.on.headers.a: wanted"),
        (lamp("write.on = {url='http://h', json={a=1979-05-27}}"), "accessories.lamp.write.on.json: JSON has no date"),
        (lamp("write.on = {url='http://h', json={a=[nan]}}"), "accessories.lamp.write.on.json: JSON has no nan"),
        (
            lamp("write.on = {url='http://h', json={a='x{value}'}}"),
            "accessories.lamp.write.on.json: {value}: it stands",
        ),
        (
            "[accessories.a]\nservice='leak sensor'\nwrite.leak_detected.run=['x']",
            "accessories.a.write.leak_detected: no",
        ),
        (
            "[accessories.a]\nservice='button'\npoll.programmable_switch_event.run=['x']",
            "accessories.a.poll.programmabl",
        ),
        (lamp("poll.on = {run=['x', '{value}']}"), "accessories.lamp.poll.on.run: there is no {value} yet"),
        (lamp("poll.on = {url='http://h/?{value}'}"), "accessories.lamp.poll.on.url: there is no {value} yet"),
        (lamp("listen.on = {run=['x', '{value}']}"), "accessories.lamp.listen.on.run: there is no {value} yet"),
        (lamp("listen.on = {run=['']}"), "accessories.lamp.listen.on.run: wanted a list of texts"),
        (lamp("listen.on = {url='http://h'}"), "accessories.lamp.listen.on: unknown key 'url'; there is run, field"),
        (lamp("listen.on.run = ['x']\npoll.on.run = ['y']"), "accessories.lamp.listen.on: it is in poll already"),
        (lamp("listen.no = {run=['x']}"), "accessories.lamp.listen: the service has no characteristic 'no'"),
        (lamp("poll.on = {run=['x'], field='a..b'}"), "accessories.lamp.poll.on.field: 'a..b' is not of the form"),
        (lamp("poll.on = {run=['x'], every=0}"), "accessories.lamp.poll.on.every: 0 is not within 1 to 86400"),
        ("[accessories.a.services]", "accessories.a.services: there are none"),
        (
            "[accessories.a]\nservice='fan'\n[accessories.a.services.b]\nservice='fan'",
            "accessories.a.service: stands bel",
        ),
        ("[accessories.a.services.b]\nservice='fan'\nmodel='x'", "accessories.a.services.b: unknown key 'model'"),
    ],
)
def test_complaints_name_the_place(text, message):
    assert refusal(text).startswith(message)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h/x",
        "file:///etc/passwd",
        "ftp://h/",
        "http://",
        "http://user:secret@h/",
        "http://h/a b",
        "http://h/\\u000d\\u000aX: y",
        "http://{value}/",
        "http://{value}",
        "http://h{value}?x",
        "http://h:{value}/",
        "{value}",
        "http://h/#{value}",
    ],
)
def test_addresses_that_are_none(url):
    message = refusal(lamp(f'write.on.url = "{url}"'))
    assert message.startswith("accessories.lamp.write.on.url: ")
    assert "secret" not in message


def test_many_accessories_are_too_many():
    text = "".join(f"[accessories.a{one}]\nservice = 'switch'\n" for one in range(150))
    assert refusal(text).startswith("accessories: wanted 1 to 150, got 151: accessory 'A149'")


WORDS = [
    "a",
    "service",
    "services",
    "values",
    "write",
    "poll",
    "listen",
    "on",
    "brightness",
    "name",
    "run",
    "url",
    "json",
    "field",
]


@given(
    st.dictionaries(
        st.sampled_from(["name", "state", "accessories", "bridge", "setup_code"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(WORDS),
                    inner | st.sampled_from(["lightbulb", "television", ["x", "{value}"], "http://h/{value}"]),
                    max_size=4,
                )
            ),
            max_leaves=25,
        ),
    )
)
def test_nothing_but_a_complaint_comes_of_nonsense(document):
    with suppress(LocalProtocolError):
        assert read(document, "house.toml").accessories


# --- where a value can get to -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["lamp", "--power={value}"],
        ["sh", "-c", "lamp {value}"],
        ["sh", "-c", "{value}"],
        ["/bin/bash", "-lc", "{value}"],
        ["env", "python3", "-c", "{value}"],
        ["perl", "-e", "{value}"],
        ["node", "--eval", "{value}"],
        ["ssh", "pi", "lamp", "{value}"],
        ["{value}"],
        ["{value}", "x"],
    ],
)
def test_no_value_becomes_a_script(command):
    message = refusal(tv(f"write.configured_name.run = {json.dumps(command)}"))
    assert message.startswith("accessories.tv.write.configured_name.run: ")
    assert "{value}" in message


def test_what_is_harmless_is_allowed():
    for command in (["ssh", "pi", "lamp", "{value}"], ["sh", "-c", 'lamp "$1"', "lamp", "{value}"]):
        house(lamp(f"write.on.run = {json.dumps(command)}"))
    house(tv("""write.configured_name.run = ["sh", "-c", 'lamp "$1"', "lamp", "{value}"]"""))


def test_a_text_stands_behind_the_question_mark_only():
    assert "behind the question mark" in refusal(tv("write.configured_name.url = 'http://h/name/{value}'"))
    house(tv("write.configured_name.url = 'http://h/name?is={value}'"))
    house(lamp("write.on.url = 'http://h/lamp/{value}'"))


@pytest.mark.parametrize("value", NASTY)
def test_nasty_texts_stay_what_they_are(value):
    run = Run(("say", "{value}", "end"), 5)
    assert run.arguments(value) == ["say", value, "end"]
    assert run.environment(value) == {"HAP_VALUE": value}
    assert run.input(value) == value.encode() + b"\n"
    message = Call("PUT", "http://h/x?a={value}&b=1", {}, {"v": ["{value}"], "w": "x"}, 5).message(value)
    assert message.body is not None
    assert json.loads(message.body) == {"v": [value], "w": "x"}
    parts = urlsplit(message.url)
    assert (parts.netloc, parts.path, parts.fragment) == ("h", "/x", "")
    assert parse_qs(parts.query, keep_blank_values=True) == {"a": [value], "b": ["1"]}


@given(st.text())
def test_any_text_stays_what_it_is(value):
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    message = Call("PUT", "http://h/x?a={value}", {}, {"v": "{value}"}, 5).message(value)
    assert message.url.isascii()
    assert message.url.isprintable()
    assert parse_qs(urlsplit(message.url).query, keep_blank_values=True) == {"a": [value]}
    assert message.body is not None
    assert json.loads(message.body) == {"v": value}
    assert b"\n" not in message.body


def test_a_text_is_no_option():
    for text in ("-rf", "--output=/etc/passwd", "-"):
        with pytest.raises(ValueRefused, match="would be an option"):
            Run(("say", "{value}"), 5).arguments(text)
        assert Run(("say", "--", "{value}"), 5).arguments(text) == ["say", "--", text]
        assert Run(("say",), 5).arguments(text) == ["say"]
    assert Run(("say", "{value}"), 5).arguments(-5) == ["say", "-5"]


def test_a_long_value_is_on_the_standard_input_only():
    value = "x" * (LONGEST + 1)
    with pytest.raises(ValueRefused, match="too many for an argument"):
        Run(("say", "{value}"), 5).arguments(value)
    run = Run(("say",), 5)
    assert run.arguments(value) == ["say"]
    assert run.environment(value) == {}
    assert run.input(value) == value.encode() + b"\n"
    assert Run(("say", "{value}"), 5).arguments(value[1:]) == ["say", value[1:]]


def test_a_controller_with_a_strange_name():
    (write,) = house(lamp("write.on.run = ['x']")).writes
    caller = Caller(b"A\0\n\xff", admin=True, transport=Transport.IP, connection=ConnectionId(1))
    told = write.place.environment(caller)
    assert told == {
        "HAP_ACCESSORY": "lamp",
        "HAP_SERVICE": "",
        "HAP_CHARACTERISTIC": "on",
        "HAP_CONTROLLER": "A??\ufffd",
    }


@pytest.mark.parametrize(
    ("value", "text", "plain"),
    [
        (True, "true", True),
        (False, "false", False),
        (0, "0", 0),
        (2**64 - 1, "18446744073709551615", 2**64 - 1),
        (-5, "-5", -5),
        (21.5, "21.5", 21.5),
        (LockCurrentState.JAMMED, "2", 2),
        ("näh", "näh", "näh"),
        (b"\0\xff", "AP8=", "AP8="),
        (None, "", None),
    ],
)
def test_values_of_every_format(value, text, plain):
    assert as_text(value) == text
    assert as_json(value) == plain
    assert type(as_json(value)) in (bool, int, float, str, type(None))
    assert Run(("x", "{value}"), 5).arguments(value) == ["x", text]


def characteristic(kind: Format, python: type = object, **limits: float) -> Characteristic:
    metadata = Metadata(kind, ["pr", "pw", "ev"]).but(**limits)
    return Characteristic(CharacteristicType("It", "2E5B0001-6C1C-4B7E-9A4B-3D1F2A6C7E10", metadata, python))


@pytest.mark.parametrize(
    ("kind", "answer", "path", "value"),
    [
        (Format.BOOL, b"on\n", "", True),
        (Format.BOOL, b'{"a": {"b": [0, {"c": false}]}}', "a.b.1.c", False),
        (Format.BOOL, b'{"state": "OFF"}', "state", False),
        (Format.UINT8, b" 200 \n", "", 200),
        (Format.UINT16, b'{"a": 1.0}', "a", 1),
        (Format.UINT32, b'{"a": "7"}', "a", 7),
        (Format.UINT64, b"18446744073709551615", "", 2**64 - 1),
        (Format.INT, b"-5", "", -5),
        (Format.FLOAT, b"21.5", "", 21.5),
        (Format.FLOAT, b"[1, 2]", "1", 2.0),
        (Format.STRING, b"n\xc3\xa4h\n", "", "näh"),
        (Format.STRING, b"; rm -rf /", "", "; rm -rf /"),
        (Format.DATA, b"AP8=", "", b"\0\xff"),
        (Format.TLV8, b"", "", b""),
    ],
)
def test_answers_of_every_format(kind, answer, path, value):
    found = from_answer(characteristic(kind), answer, path.split(".") if path else ())
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "answer", "path"),
    [
        (Format.BOOL, b"maybe", ""),
        (Format.UINT8, b"256", ""),
        (Format.UINT8, b"", ""),
        (Format.FLOAT, b"nan", ""),
        (Format.FLOAT, b"\xff", ""),
        (Format.FLOAT, b"{", "a"),
        (Format.FLOAT, b"[" * 100_000, "a"),
        (Format.FLOAT, b"{}", "a"),
        (Format.FLOAT, b"[1]", "1"),
        (Format.FLOAT, b"[1]", "-1"),
        (Format.FLOAT, b"[1]", "9" * 5000),
        (Format.FLOAT, b'{"a": null}', "a"),
        (Format.FLOAT, b'{"a": {}}', "a"),
        (Format.FLOAT, b'{"a": NaN}', "a"),
        (Format.STRING, b"x" * 65, ""),
        (Format.DATA, b"?", ""),
    ],
)
def test_answers_that_are_none(kind, answer, path):
    with pytest.raises(ValueRefused):
        from_answer(characteristic(kind), answer, path.split(".") if path else ())


def test_a_named_answer():
    (poll,) = house('[accessories.d]\nservice = "lock"\npoll.lock_current_state.run = ["bolt"]').polls
    assert poll.value(b"Secured\n") is LockCurrentState.SECURED
    assert poll.value(b"2") is LockCurrentState.JAMMED


def test_what_is_listened_to():
    bell, lock = house(
        '[accessories.b]\nservice = "doorbell"\nlisten.programmable_switch_event = {run = ["x"], field = "a.b"}\n'
        '[accessories.d]\nservice = "lock"\nlisten.lock_current_state.run = ["bolt", "--follow"]'
    ).listens
    assert (str(bell.place), bell.command, bell.path) == ("b.programmable_switch_event", ("x",), ("a", "b"))
    assert bell.value(b'{"a": {"b": "Double press"}}') is ProgrammableSwitchEvent.DOUBLE_PRESS
    assert lock.value(b"secured\r") is LockCurrentState.SECURED
    with pytest.raises(ValueRefused):
        lock.value(b"ajar")


@pytest.mark.parametrize("how", ["poll", "listen"])
def test_what_tells_by_itself_does_not_follow(how):
    text = '[accessories.d]\nservice = "lock"\n'
    assert len(house(text).follows) == 1
    assert not house(f"{text}{how}.lock_current_state.run = ['bolt']").follows
