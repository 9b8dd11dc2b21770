"""For the tests of programs and transports on trio: a conformance suite, a network, an air, a virtual clock."""

from hapcore.testing import Damage, TransportFault, Weather

from .air import Air, open_air
from .clock import run, virtual_clock
from .damaged import DamagedStream
from .memory import MemoryStream, Network, memory_streams
from .suite import MakePair, check_transport

__all__ = [
    "Air",
    "Damage",
    "DamagedStream",
    "MakePair",
    "MemoryStream",
    "Network",
    "TransportFault",
    "Weather",
    "check_transport",
    "memory_streams",
    "open_air",
    "run",
    "virtual_clock",
]
