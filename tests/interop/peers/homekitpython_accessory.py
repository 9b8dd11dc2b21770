"""homekit_python's accessory: a light on an address, announced by the mDNS of its own time (zeroconf 0.24).

    python homekitpython_accessory.py --state DIR [--setup-code 031-45-154] [--host 127.0.0.1]

Prints JSON lines and reads commands as happython_accessory.py does: `set on true`, `set brightness 77`, `quit`.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
from pathlib import Path

import homekit.accessoryserver
from homekit.model import Accessory
from homekit.model.services import BHSLightBulbService
from zeroconf import Zeroconf

DEVICE_ID = "12:34:56:00:01:0A"
NAMES = ("on", "brightness")


def say(event, **rest):
    """Print one JSON line for the test."""
    print(json.dumps({"event": event, **rest}), flush=True)


def free_port(host):
    """A port that nobody has; it must be in the configuration before the server is made."""
    with socket.socket() as trial:
        trial.bind((host, 0))
        return trial.getsockname()[1]


def configure(arguments):
    """Write the configuration of this start, with the keys and the pairings of the one before."""
    path = arguments.state / "homekitpython.json"
    before = json.loads(path.read_text("utf-8")) if path.exists() else {"c#": 0}
    now = {
        "name": "BenchLight",
        "host_ip": arguments.host,
        "host_port": free_port(arguments.host),
        "accessory_pairing_id": DEVICE_ID,
        "accessory_pin": arguments.setup_code,
        "category": "Lightbulb",
    }
    path.write_text(json.dumps({**before, **now}), "utf-8")
    return path


class Server(homekit.accessoryserver.AccessoryServer):
    """The server as it is; its threads do not keep the program alive."""

    daemon_threads = True
    allow_reuse_address = True


def main(arguments):
    """Serve until stdin ends or says quit."""
    homekit.accessoryserver.Zeroconf = lambda: Zeroconf([arguments.host])
    server = Server(str(configure(arguments)), logger=None)
    accessory = Accessory("BenchLight", "hapcore", "Bench", "0001", "1.0")
    light = BHSLightBulbService()
    accessory.services.append(light)
    server.add_accessory(accessory)
    found = {}
    for one in light.characteristics:
        name = type(one).__name__.removesuffix("Characteristic").lower()
        if name in NAMES:
            found[name] = one
            one.set_set_value_callback(lambda value, name=name: say("written", name=name, value=value))
    found["brightness"].value = 40
    paired = server.data.add_peer

    def add_peer(*given):
        paired(*given)
        say("paired", ok=True)

    server.data.add_peer = add_peer
    server.publish_device()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(
        "listening",
        host=arguments.host,
        port=server.data.port,
        device_id=DEVICE_ID,
        setup_code=arguments.setup_code,
        ids={name: f"{accessory.aid}.{one.iid}" for name, one in found.items()},
    )
    for line in sys.stdin:
        words = line.split(maxsplit=2)
        if words[0] == "quit":
            break
        try:
            one = found[words[1]]
            one.value = json.loads(words[2])
            server.write_event([(accessory.aid, one.iid)])
            say("done", command=words[0])
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has to see it
            say("failed", command=words[0], error=f"{type(error).__name__}: {error}")
    server.unpublish_device()
    server.zeroconf.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True, help="directory for the accessory's files")
    parser.add_argument("--setup-code", default="031-45-154")
    parser.add_argument("--host", default="127.0.0.1")
    main(parser.parse_args())
