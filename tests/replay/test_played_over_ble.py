"""Recorded controllers speak to our accessory over Bluetooth LE: given the same draws it says the same, bit for bit."""

from __future__ import annotations

import copy

import pytest
from tests.replay.recordings import BLE, raw

from hapcore.replay import RecordingError, ble, read
from hapcore.replay.known import deliberate, known_database, play_known


def played(recording):
    return play_known(read(recording))


def reasons(recording):
    return [one.reason for one in played(recording).differences]


@pytest.mark.parametrize("name", BLE)
def test_every_value_indication_and_packet(name):
    outcome = played(raw(name))
    unmeant = [str(one) for one in outcome.differences if deliberate(one) is None]
    assert not unmeant, "\n\n".join(unmeant)
    assert outcome.compared


def test_something_is_compared():
    """The replays would also pass if they compared nothing."""
    assert len(BLE) >= 11
    assert sum(played(raw(name)).compared for name in BLE) > 2500


# What is changed in a recording has to be seen.


def records(recording, op, **fields):
    return [
        record
        for case in recording["cases"]
        for record in case["log"]
        if record.get("op") == op and all(record.get(key) == value for key, value in fields.items())
    ]


@pytest.fixture
def lightbulb():
    return raw("ble-lightbulb")


@pytest.fixture
def events():
    return raw("ble-events")


def test_another_byte_in_clear(lightbulb):
    record = records(lightbulb, "read", handle=47)[0]
    record["raw"] = record["raw"][:-2] + "01"
    assert reasons(lightbulb) == ["another body"]


def test_another_value_that_was_written(events):
    """A value that was written is not concluded from what is read afterwards."""
    recording = raw("ble-read-write")
    record = next(one for one in records(recording, "read", iid=0x59) if one.get("plain", "").startswith("02a300"))
    changed = bytes.fromhex(record["plain"])[:-1] + b"\xff"
    record["plain"], record["raw"] = changed.hex(), record["raw"][:-2] + "00"
    record["result"]["body"] = changed[5:].hex()
    # What follows is read as it was recorded: the value is concluded to have been set from inside.
    assert "another body" in reasons(recording)


def test_another_record(lightbulb):
    record = records(lightbulb, "read", encrypted=True)[3]
    record["raw"] = record["raw"][:-2] + ("00" if record["raw"][-2:] != "00" else "01")
    difference = played(lightbulb).first
    assert difference is not None
    assert difference.scene == "session"


def test_another_status(lightbulb):
    record = records(lightbulb, "read", iid=2, encrypted=True)[0]
    record["plain"], record["raw"], record["result"] = "021a05", "00", {"status": 5, "body": ""}
    difference = played(lightbulb).first
    assert difference is not None
    assert difference.reason == "status 01 instead of 05"
    assert difference.cause.startswith("Identify: characteristic read, iid 2")
    assert "unsupported pdu" in difference.got


def test_a_refusal_that_was_none(lightbulb):
    records(lightbulb, "write", handle=5)[0]["att_error"] = 4
    assert reasons(lightbulb)[0] == "the write is answered"


def test_an_answer_that_was_none():
    recording = raw("ble-timed-write")
    del records(recording, "read", att_error=17)[0]["att_error"]
    assert reasons(recording)[0] == "the read is refused"


def test_an_answer_that_nobody_saw():
    """The link broke before: nothing is known of it."""
    recording = raw("ble-timed-write")
    record = records(recording, "read", att_error=17)[0]
    del record["att_error"]
    record["error"] = "disconnected"
    assert reasons(recording) == []


def test_a_link_that_was_kept():
    recording = raw("ble-timed-write")
    for record in records(recording, "disconnected", by="accessory"):
        record["by"], record["t"] = "central", record["t"] + 0.5
    assert "the link is dropped" in reasons(recording)


def test_a_link_that_was_dropped(lightbulb):
    records(lightbulb, "disconnected", by="central")[0]["by"] = "accessory"
    assert reasons(lightbulb) == ["the link should be dropped"]


def test_an_indication_that_cannot_be(events):
    log = next(case["log"] for case in events["cases"] if case["name"] == "unsubscribe and reconnect")
    # Nothing is indicated without a session.
    log.insert(1, {"t": log[0]["t"], "op": "indication", "handle": 62, "iid": 51, "raw": ""})
    assert "an indication is missing" in reasons(events)


def test_an_indication_too_much(events):
    """The side effect of a write, which our application plays by itself."""
    log = next(case["log"] for case in events["cases"] if case["name"] == "own write")
    log.remove(next(record for record in log if record.get("op") == "indication"))
    assert reasons(events) == ["an indication too much"]


@pytest.mark.parametrize("change", ["interval", "packet", "scan response", "time"])
def test_another_advertisement(events, change):
    found = next(one for one in records(events, "advertising", interval_ms=417.5) if one["at"] > 35)
    if change == "interval":
        found["interval_ms"] = 318.75
    elif change == "packet":
        found["ad"] = found["ad"][:-2] + "00"
    elif change == "scan response":
        found["scan_response"] = ""
    else:
        found["at"] += 0.4
    assert set(reasons(events)) == {"another advertisement"}


def test_another_broadcast(events):
    found = next(one for one in records(events, "advertising") if "encrypted" in one)
    found["ad"] = found["ad"][:-2] + "00"
    assert set(reasons(events)) == {"another advertisement"}


def test_another_number_in_the_parameters(events):
    """Only what could have happened is concluded: a state number two further on is a difference."""
    record = next(one for one in records(events, "read", iid=17) if one["plain"].startswith("0208000f000102"))
    record["plain"] = record["plain"].replace("0208000f00010202", "0208000f00010203")
    record["raw"] = "00" + record["raw"][2:]
    assert reasons(events)[0] == "another body"


def test_the_state_number_may_have_been_set(events):
    """A number far off in a case that begins so was written into the accessory's store."""
    recording = copy.deepcopy(events)
    recording["cases"] = recording["cases"][:1]
    for record in records(recording, "advertising"):
        record["regular"]["gsn"] = 65535
        data = bytearray.fromhex(record["ad"])
        data[18:20] = b"\xff\xff"
        record["ad"] = data.hex()
    assert reasons(recording) == []


# What is no recording.


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("accessory", "ltsk_seed"), "xyz"),
        (("accessory", "device_id"), 3),
        (("cases",), {"log": 3}),
        (("cases",), [{"name": "x", "log": [{"op": "write", "t": "now"}]}]),
        (("gatt",), [{"characteristics": [{"handle": "a", "iid": 1}]}]),
        (("accessory", "app"), "toaster"),
    ],
)
def test_damaged(lightbulb, path, value):
    place = lightbulb
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(RecordingError):
        played(lightbulb)


def test_only_its_own_format():
    with pytest.raises(RecordingError, match="hap-ble-capture-1"):
        ble.read({"format": "hap-capture/1"})


def test_the_lock_of_the_examples_is_known(lightbulb):
    lightbulb["accessory"]["app"] = "lock"
    database = known_database(read(lightbulb))
    assert [one.iid for one in database.accessories[0].services] == [0x01, 0x10, 0x20, 0x30, 0x40]
