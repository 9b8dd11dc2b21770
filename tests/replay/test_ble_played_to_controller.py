"""Our controller asks over Bluetooth LE what the recorded one asked, and understands every recorded answer."""

from __future__ import annotations

import copy
import random

import pytest
from click.testing import CliRunner
from tests.replay.recordings import BLE, path, raw

from hap_trio.cli import group
from hapcore.replay import RecordingError
from hapcore.replay.ble_controller import play_controller

#: Requests that no regular controller makes: bad tags, a session destroyed on purpose, messages out of order.
LEFT_OUT = {"ble-pair-resume": 1, "ble-pair-verify": 10, "ble-timed-write": 4}


@pytest.mark.parametrize("name", BLE)
def test_every_answer_is_understood(name):
    outcome = play_controller(raw(name))
    assert not outcome.differences, str(outcome.first)
    assert outcome.skipped == LEFT_OUT.get(name, 0)


def test_much_is_compared():
    assert sum(play_controller(raw(name)).compared for name in BLE) > 1000


def _records(recording: dict, op: str) -> list[dict]:
    return [record for case in recording["cases"] for record in case["log"] if record["op"] == op]


def test_a_flipped_bit_in_any_answer_is_noticed():
    """Of the first session every tenth answer, one at a time: a record, a signature, a handshake."""
    whole = raw("ble-lightbulb")
    places = [index for index, record in enumerate(_records(whole, "read")) if "result" in record]
    for place in places[::5]:
        changed = copy.deepcopy(whole)
        record = _records(changed, "read")[place]
        data = bytearray.fromhex(record["raw"])
        data[-1] ^= 1
        record["raw"] = data.hex()
        before, after = play_controller(whole), play_controller(changed)
        assert after.differences or after.compared < before.compared, place


def test_another_recorded_request_is_noticed():
    changed = raw("ble-lightbulb")
    encrypted = next(record for record in _records(changed, "write") if record.get("encrypted"))
    data = bytearray.fromhex(encrypted["raw"])
    data[-1] ^= 1
    encrypted["raw"] = data.hex()
    found = play_controller(changed).differences
    assert found
    assert found[0].reason == "another request"


def test_another_broadcast_value_is_noticed():
    changed = raw("ble-events")
    packet = next(record for record in _records(changed, "advertising") if "encrypted" in record)
    packet["encrypted"]["value"] = "0000000000000000"
    plain = bytearray.fromhex(packet["encrypted"]["plain"])
    plain[4:] = bytes.fromhex("0000000000000000")
    packet["encrypted"]["plain"] = plain.hex()
    assert len(play_controller(changed).differences) == 1


@pytest.mark.parametrize("broken", [[], {}, {"format": "hap-ble-capture-1"}, {"format": "other"}])
def test_what_is_no_recording_is_refused(broken):
    with pytest.raises(RecordingError):
        play_controller(broken)


def test_the_command_plays_it():
    result = CliRunner().invoke(group.hap, ["replay", "--as", "controller", str(path("ble-lightbulb"))])
    assert result.exit_code == 0, result.output
    assert "alike" in result.output


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_recording_is_played_to_its_end(seed):
    """Records that are missing, repeated, changed or out of order are differences, or left out, and nothing worse."""
    chance = random.Random(seed)
    changed = raw(chance.choice(BLE))
    for case in changed["cases"]:
        log = case["log"]
        at, other = chance.randrange(len(log)), chance.randrange(len(log))
        match chance.randrange(4):
            case 0:
                del log[at]
            case 1:
                log.insert(at, copy.deepcopy(log[other]))
            case 2:
                log[at], log[other] = log[other], log[at]
            case _ if log[at].get("raw"):
                data = bytearray.fromhex(log[at]["raw"])
                data[chance.randrange(len(data))] = chance.randrange(256)
                log[at]["raw"] = data.hex()
    play_controller(changed)
