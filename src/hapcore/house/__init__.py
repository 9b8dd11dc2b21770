"""Accessories described by a file, for people who do not program: what it may say, checked, and what it stands for.

Pure like the rest: tables come in, as TOML or JSON is read, and accessories come out with the commands and requests
that somebody else carries out.
"""

from __future__ import annotations

from hapcore.house.actions import Call, Message, Run
from hapcore.house.plan import Follow, House, Listen, Place, Poll, Write
from hapcore.house.read import read

__all__ = ["Call", "Follow", "House", "Listen", "Message", "Place", "Poll", "Run", "Write", "read"]
