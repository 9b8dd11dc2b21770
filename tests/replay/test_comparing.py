"""What counts as the same, what does not; recordings that cannot be read; and that a changed recording is noticed."""

from __future__ import annotations

import copy
import json

import pytest
from tests.replay.recordings import ALL, raw, script, to_accessory

from hapcore.replay import RecordingError, database_from_json, play_accessory, play_controller, read, recorded_database
from hapcore.replay.meaning import difference, show
from hapcore.replay.messages import Message, Messages, parse_message

OK = "HTTP/1.1 200 OK"


def message(body, kind="application/hap+json", start=OK):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(start, {"content-type": kind}, data)


def one(**fields):
    return message({"characteristics": [{"aid": 1, "iid": 2, **fields}]})


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (one(value=True), one(value=1)),
        (one(value=0.1), one(value=0.10000000149)),
        (one(value=1), one(value=1.0)),
        (one(value=1e-07), one(value=0.0000001)),
        (one(perms=["pr", "ev"]), one(perms=["ev", "pr"])),
        (
            message({"characteristics": [{"aid": 1, "iid": 1, "value": 1}, {"aid": 1, "iid": 2, "value": 2}]}),
            message({"characteristics": [{"iid": 2, "value": 2, "aid": 1}, {"aid": 1, "iid": 1, "value": 1}]}),
        ),
        (
            message(b'{"characteristics":[{"aid":1,"iid":2,"value":0},"perms":["pr"]]}'),
            one(value=0, perms=["pr"]),
        ),
    ],
)
def test_alike(expected, got):
    assert difference(expected, got) is None


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (one(value=1), one(value=2)),
        (one(value=2**63), one(value=2**63 + 1)),
        (one(value=0.1), one(value=0.1001)),
        (one(value="1"), one(value=1)),
        (one(value=None), one(value=0)),
        (one(value=0), one()),
        (one(), one(value=0)),
        (one(status=0), one()),
        (one(value=0), message({"characteristics": []})),
        (one(perms=["pr", "ev"]), one(perms=["pr"])),
        (one(value=0), message({"characteristics": [{"aid": 1, "iid": 3, "value": 0}]})),
        (message({"status": 0}), message({"status": -70410})),
        (one(value=0), message(b"")),
        (message(b"", start="HTTP/1.1 204 No Content"), message(b"")),
        (one(value=0), Message("EVENT/1.0 200 OK", {}, one(value=0).body)),
        (message(b"a", "image/jpeg"), message(b"b", "image/jpeg")),
    ],
)
def test_not_alike(expected, got):
    found = difference(expected, got)
    assert found
    assert show(expected)


def tlv(text):
    return message(bytes.fromhex(text), "application/pairing+tlv8")


@pytest.mark.parametrize(
    ("expected", "got", "alike"),
    [
        ("060102070102", "070102060102", True),
        ("060102070102", "060102070106", False),
        ("060102070102", "060102", False),
        ("060102010161ff00010162", "060102010162ff00010161", True),
        ("060102010161ff00010162", "060102010161", False),
        ("0601020341" + "00" + 64 * "11", "0601020340" + 64 * "11", True),
        ("0601020341" + "00" + 64 * "11", "0601020340" + 63 * "11" + "12", False),
        ("0601020320" + "00" + 31 * "11", "060102031f" + 31 * "11", False),
    ],
)
def test_pairing_messages(expected, got, alike):
    assert (difference(tlv(expected), tlv(got)) is None) is alike


def test_the_accessory_database_is_compared_with_its_defaults():
    def database(**more):
        characteristic = {"iid": 9, "type": "25", "format": "uint8", "perms": ["pr"], "value": 1, **more}
        return message(
            {"accessories": [{"aid": 1, "services": [{"iid": 8, "type": "43", "characteristics": [characteristic]}]}]}
        )

    same = {"minValue": 0, "maxValue": 255, "minStep": 1, "ev": False, "type": "00000025-0000-1000-8000-0026BB765291"}
    assert difference(database(), database(**same)) is None
    for other in ({"maxValue": 100}, {"minStep": 5}, {"ev": True}, {"type": "26"}, {"value": 2}, {"iid": 10}):
        assert difference(database(), database(**other))


def test_messages_are_cut_out_of_a_stream():
    data = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        b"EVENT/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        b"HTTP/1.1 204 No Content\r\n\r\n"
    )
    whole = Messages().feed(data)
    assert [(one.status, one.event, one.body) for one in whole] == [
        (200, False, b"abcde"),
        (200, True, b"{}"),
        (204, False, b""),
    ]
    cut = Messages()
    assert [found for index in range(len(data)) for found in cut.feed(data[index : index + 1])] == whole
    assert b"".join(one.data for one in whole) == data
    assert cut.waiting == b""
    assert parse_message(b"nonsense").body == b"nonsense"


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"format": "hap-capture/2"},
        {"format": "hap-capture/1"},
        {"format": "hap-ip-capture-1"},
        {**raw("ip-lightbulb"), "accessory": "x"},
        {**raw("ip-lightbulb"), "cases": [{"name": 1}]},
        {**raw("ip-lightbulb"), "cases": {"name": "x", "connections": [{"log": [{"t": 1, "dir": ">", "raw": "0"}]}]}},
        {**raw("aiohomekit_x_happython"), "connections": [{"chunks": [[0, "c2a", "zz"]]}]},
        {**raw("aiohomekit_x_happython"), "connections": [{"chunks": [[0, "b2a", ""]]}]},
        {**raw("aiohomekit_x_happython"), "connections": 5},
    ],
)
def test_what_is_no_recording(wrong):
    with pytest.raises(RecordingError):
        read(wrong)


@pytest.mark.parametrize("name", ALL)
def test_no_secret_is_shown(name):
    text = repr(script(name))
    recording = raw(name)
    accessory = recording.get("accessory_ltsk") or recording["accessory"].get("ltsk_seed", "")
    keys = [each.get("ltsk") or each["ltsk_seed"] for each in recording["controllers"]]
    for secret in filter(None, (accessory, *keys)):
        assert secret not in text
        assert repr(bytes.fromhex(secret))[2:-1] not in text
    for run in (run for scene in script(name).scenes for track in scene.tracks for run in track.setups):
        assert run.a is None or str(run.a) not in text
        assert run.b is None or str(run.b) not in text
    assert script(name).accessory.setup_code not in text


def changed(name, case, change):
    """A recording with one message of the accessory altered."""
    recording = copy.deepcopy(raw(name))
    log = next(one for one in recording["cases"] if one["name"] == case)["connections"][0]["log"]
    made = [change(record) for record in log if record.get("dir") == "<"]
    assert any(made)
    return read(recording)


def _swap(field, old, new):
    def change(record):
        if old in record.get(field, ""):
            record[field] = record[field].replace(old, new)
            return True
        return False

    return change


@pytest.mark.parametrize(
    ("case", "change", "reason"),
    [
        ("values", _swap("text", '"value":100}', '"value":105}'), ""),
        ("errors", _swap("text", "-70405", "-70404"), "status: -70405 instead of -70404"),
        ("errors", _swap("text", "400 Bad Request", "404 Not Found"), "HTTP status 400 instead of 404"),
        ("accessories", _swap("text", '"format":"uint16"', '"format":"uint32"'), "1.83 format"),
        ("meta perms type ev", _swap("text", '"minStep":10', '"minStep":11'), "minStep: 10 instead of 11"),
    ],
)
def test_a_changed_answer_is_noticed(case, change, reason):
    differences = [one for one in to_accessory(changed("ip-read", case, change)).differences if one.scene == case]
    if not reason:
        # Only the application could tell this value from the other one: it is taken for one set from inside.
        assert not differences
    else:
        assert reason in differences[0].reason
        assert differences[0].expected != differences[0].got


def test_a_handshake_that_is_not_the_recorded_one_is_noticed():
    recording = copy.deepcopy(raw("ip-lightbulb"))
    recording["accessory"]["ltsk_seed"] = "11" * 32
    assert "inner PublicKey" in to_accessory(read(recording)).first.reason
    recording = copy.deepcopy(raw("ip-lightbulb"))
    recording["accessory"]["ltpk"] = "11" * 32
    reasons = [one.reason for one in play_controller(read(recording)).differences]
    assert any("another accessory" in reason for reason in reasons)


def test_the_report_shows_both_sides_and_the_cause():
    outcome = to_accessory(changed("ip-read", "errors", _swap("text", "-70405", "-70404")))
    text = str(outcome.first)
    assert "GET /characteristics?id=1.99" in text
    assert "-70404" in text
    assert "-70405" in text
    assert "connection c0" in text


def test_a_database_is_made_of_what_was_recorded():
    database = recorded_database(script("bridge121_aiohomekit_x_happython"))
    assert len(database.accessories) == 121
    guessed = recorded_database(script("ip-pair-verify"))
    assert guessed.find(1, 51) is not None
    assert not play_accessory(script("ip-pairings"), guessed).differences[0].reason.startswith("no answer")


def _database(*services):
    return {"accessories": [{"aid": 1, "services": list(services)}]}


def _one(iid, kind, form="string", **more):
    return {"iid": iid, "type": kind, "format": form, "perms": ["pr"], **more}


def test_a_database_that_ours_may_not_be_is_served_as_far_as_possible():
    """Empty texts, missing texts, another number for Accessory Information, twice the same type, unknown formats."""
    information = {"iid": 2, "type": "3E", "characteristics": [_one(3, "23", value="x"), _one(4, "20", value="")]}
    light = {
        "iid": 8,
        "type": "00000043-0000-1000-8000-0026bb765291",
        "linked": [9, 2],
        "characteristics": [
            _one(10, "25", "bool", value=None),
            _one(11, "25", "bool"),
            _one(12, "AA", "array", value=[]),
            _one(13, "8", "uint8", value=200, maxValue=100, **{"valid-values-range": [0, 2]}),
            _one(14, "13", "data", value="?"),
        ],
    }
    database = database_from_json(_database(information, light))
    assert database.find(1, 3).value == "x"
    assert database.find(1, 4).value == ""
    assert database.find(1, 10).value is False
    assert database.find(1, 11) is None
    assert database.find(1, 12) is None
    assert database.find(1, 13).metadata.valid_ranges == ((0, 2),)
    assert database.find(1, 14).value == b""


@pytest.mark.parametrize(
    "wrong", [None, [], {}, {"accessories": []}, _database({"iid": 1}), _database({"iid": "1", "type": "3E"})]
)
def test_what_is_no_database(wrong):
    with pytest.raises(RecordingError):
        database_from_json(wrong)
