"""`hap import` and `hap export`."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import sys

from tests.cli.program import ENVIRONMENT, LIMIT, failure, hap, lines
from tests.core.test_migration_pairings import FIELDS, HEXED


def test_in_and_out(tmp_path):
    old, ours, new = tmp_path / "old.json", tmp_path / "pairings.json", tmp_path / "new.json"
    old.write_text(json.dumps({"lamp": FIELDS}))
    told = lines(hap("import", old, "-f", ours, "--json"))
    assert told == [{"event": "imported", "alias": "lamp", "device_id": FIELDS["AccessoryPairingID"]}]
    assert stat.S_IMODE(ours.stat().st_mode) == 0o600
    done = hap("export", "--to", "hap-controller", "-a", "lamp", "-f", ours, "-o", new)
    assert (done.returncode, done.stderr.count("secret keys")) == (0, 1)
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert json.loads(new.read_text()) == HEXED
    again = hap("export", "--to", "homekit_python", "-f", ours)
    assert json.loads(again.stdout)["lamp"] == FIELDS


def test_refusals(tmp_path):
    old, ours = tmp_path / "old.json", tmp_path / "pairings.json"
    old.write_text(json.dumps({"lamp": FIELDS, "eve": {**FIELDS, "Connection": "CoAP"}}))
    partly = hap("import", old, "-f", ours)
    assert failure(partly) == "hap: eve was left out: it is reached over CoAP, not over IP\n"
    assert "Imported lamp" in partly.stdout
    assert "'lamp': there already" in failure(hap("import", old, "-f", ours))
    assert "Imported lamp" in hap("import", old, "-f", ours, "--replace").stdout
    old.write_text("{}")
    assert failure(hap("import", old, "-f", ours)) == "hap: there are no pairings in the file\n"
    old.write_text("[]")
    assert "no JSON object" in failure(hap("import", old, "-f", ours))
    assert "is there already" in failure(hap("export", "--to", "aiohomekit", "-f", ours, "-o", old))
    assert "nobody" in failure(hap("export", "--to", "aiohomekit", "-f", ours, "-a", "nobody"))
    assert "no pairings to export" in failure(hap("export", "--to", "aiohomekit", "-f", tmp_path / "none.json"))


def test_names_that_would_move_the_cursor(tmp_path):
    old, ours = tmp_path / "old.json", tmp_path / "pairings.json"
    title = "\x1b]0;pwned\x07"
    strange = {"[/x]": {**FIELDS, "AccessoryPairingID": f"12{title}"}, f"eve{title}": {**FIELDS, "Connection": title}}
    old.write_text(json.dumps(strange))
    partly = hap("import", old, "-f", ours)
    assert partly.stdout == "Imported [/x] (12\\x1b]0;pwned\\x07).\n"
    told = failure(partly)
    assert told == "hap: eve\\x1b]0;pwned\\x07 was left out: it is reached over \\x1b]0;pwned\\x07, not over IP\n"
    assert "[/x]" in json.loads(ours.read_text())["pairings"]


def test_what_is_for_files_does_not_go_to_a_terminal(tmp_path):
    old, ours = tmp_path / "old.json", tmp_path / "pairings.json"
    old.write_text(json.dumps({"lamp": FIELDS}))
    lines(hap("import", old, "-f", ours, "--json"))
    for command in (
        ("export", "--to", "aiohomekit", "-f", str(ours)),
        ("snapshot", "-a", "lamp", "-f", str(ours), "-o", "-", "--address", "127.0.0.1:1"),
    ):
        terminal, other = pty.openpty()
        done = subprocess.run(
            [sys.executable, "-m", "hap_trio.cli", *command],
            stdout=other,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            timeout=LIMIT,
            check=False,
        )
        os.close(other)
        assert (done.returncode, b"-o names a file" in done.stderr) == (1, True)
        assert not select.select([terminal], [], [], 0)[0] or FIELDS["iOSDeviceLTSK"].encode() not in _rest(terminal)
        os.close(terminal)


def _rest(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # nobody is at the other end
        return b""
