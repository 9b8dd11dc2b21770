"""For the tests of programs and transports on trio: a conformance suite, a network in memory, a virtual clock."""

from hapcore.testing import Damage, TransportFault, Weather

from .clock import run, virtual_clock
from .damaged import DamagedStream
from .memory import MemoryStream, Network, memory_streams
from .suite import MakePair, check_transport

__all__ = [
    "Damage",
    "DamagedStream",
    "MakePair",
    "MemoryStream",
    "Network",
    "TransportFault",
    "Weather",
    "check_transport",
    "memory_streams",
    "run",
    "virtual_clock",
]
