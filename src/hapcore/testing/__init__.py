"""For tests: of a product, without network and without waiting (`Pair`); of a transport (`CHECKS`, `Damage`); and a
network in memory (`Network`, `Weather`). The `testing` modules of the adapters make streams and suites of it.
"""

from hapcore.testing.chance import seeded_entropy
from hapcore.testing.checks import CHECKS, OWN_CLOSE, Examiner
from hapcore.testing.damage import Damage, Spoiler
from hapcore.testing.network import CALM, ConnectionLost, End, Link, Network, VirtualClock, Weather
from hapcore.testing.news import News
from hapcore.testing.pair import Device, Pair
from hapcore.testing.remote import Remote
from hapcore.testing.steps import Action, Check, Close, Line, Receive, Send, TransportFault
from hapcore.testing.substitute import substituted

__all__ = [
    "CALM",
    "CHECKS",
    "OWN_CLOSE",
    "Action",
    "Check",
    "Close",
    "ConnectionLost",
    "Damage",
    "Device",
    "End",
    "Examiner",
    "Line",
    "Link",
    "Network",
    "News",
    "Pair",
    "Receive",
    "Remote",
    "Send",
    "Spoiler",
    "TransportFault",
    "VirtualClock",
    "Weather",
    "seeded_entropy",
    "substituted",
]
