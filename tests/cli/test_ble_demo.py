"""`hap demo --ble`: both roles over a virtual radio, on a machine without any."""

from __future__ import annotations

from tests.cli.program import hap, lines

#: "In under 20 seconds", the start of the program included; the steps themselves take two or three.
LIMIT = 20.0


def test_the_demonstration():
    told = lines(hap("demo", "--ble", "--json"))
    assert [line["name"] for line in told] == [
        "advertising",
        "discovered",
        "paired",
        "listed",
        "subscribed",
        "accessory-written",
        "switched",
        "event",
        "disconnected",
        "broadcast",
        "disconnected-event",
        "resumed",
        "unpaired",
        "done",
    ]
    by_name = {line["name"]: line for line in told}
    assert [line["step"] for line in told] == list(range(1, 15))
    assert by_name["discovered"]["device_id"] == by_name["advertising"]["device_id"]
    assert by_name["discovered"]["paired"] is False
    assert by_name["switched"]["value"] is True
    assert by_name["event"]["value"] == 75
    assert (by_name["broadcast"]["value"], by_name["broadcast"]["connected"]) == (False, False)
    assert by_name["disconnected-event"]["value"] == 20
    assert by_name["resumed"]["resumed"] is True
    assert told[-1]["time"] < LIMIT
