"""aiohomekit as in tests/interop, and the keys of its sessions in a key log: the environment variable HAPKEYLOGFILE.

Its key derivation is left as it is; the protocol that is handed the derived keys writes them down.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
import time
from pathlib import Path

from aiohomekit.controller.ip.connection import SecureHomeKitProtocol

LOG = Path(os.environ["HAPKEYLOGFILE"])
CONTROLLER = Path(__file__).parents[2] / "interop" / "peers" / "aiohomekit_controller.py"
_init = SecureHomeKitProtocol.__init__


def init(self, connection, a2c_key, c2a_key):
    """Write the keys down, then go on."""
    _init(self, connection, a2c_key, c2a_key)
    data = connection.pairing_data
    ids = f"{data['AccessoryPairingID']} {data['iOSPairingId']}"
    with LOG.open("a", encoding="ascii") as log:
        log.write(f"HAP1 {time.time():.6f} - {ids} {a2c_key.hex()} {c2a_key.hex()}\n")


SecureHomeKitProtocol.__init__ = init
asyncio.run(runpy.run_path(str(CONTROLLER))["main"]())
sys.exit()
