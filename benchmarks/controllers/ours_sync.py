"""hap_sync as the controller under test. Commands and answers are those of aiohomekit.py beside it."""

from __future__ import annotations

import sys
import time

import rig

import hap_sync

IMPORTED = time.perf_counter()

if __name__ == "__main__":
    with hap_sync.open_controller(mdns=False) as controller:
        ours = rig.Blocking(controller)
        rig.hello(IMPORTED)
        for line in sys.stdin:
            ours.obey(line)
