"""For the tests of blocking programs and transports: a conformance suite, a network and an air in memory.

Time is passed in: what is in memory takes a clock, `time.monotonic` or a `VirtualClock` that a test turns by hand, or
that `virtual_time()` turns.
"""

from hapcore.testing import Damage, TransportFault, VirtualClock, Weather

from .air import Air, open_air
from .clock import virtual_time
from .damaged import DamagedTransport
from .memory import MemoryTransport, Network, memory_transports
from .pair import AirPair, open_air_pair
from .suite import MakePair, check_transport

__all__ = [
    "Air",
    "AirPair",
    "Damage",
    "DamagedTransport",
    "MakePair",
    "MemoryTransport",
    "Network",
    "TransportFault",
    "VirtualClock",
    "Weather",
    "check_transport",
    "memory_transports",
    "open_air",
    "open_air_pair",
    "virtual_time",
]
