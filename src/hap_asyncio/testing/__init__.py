"""For the tests of programs and transports on asyncio: a conformance suite, a network in memory, a virtual clock."""

from hapcore.testing import Damage, TransportFault, Weather

from .damaged import DamagedReader, DamagedWriter, damaged
from .loop import VirtualLoop, run
from .memory import MemoryReader, MemoryWriter, Network, memory_streams
from .suite import MakePair, check_transport

__all__ = [
    "Damage",
    "DamagedReader",
    "DamagedWriter",
    "MakePair",
    "MemoryReader",
    "MemoryWriter",
    "Network",
    "TransportFault",
    "VirtualLoop",
    "Weather",
    "check_transport",
    "damaged",
    "memory_streams",
    "run",
]
