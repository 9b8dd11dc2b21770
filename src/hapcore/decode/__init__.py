"""Decoding what was said between a controller and an accessory, from captured bytes and the session's keys.

traffic = Traffic(KeyRing(read_key_log(text).sessions))
for packet in capture:
    for entry in traffic.feed(packet.link, packet.data, packet.time):
        print(render(entry))

`Traffic` takes packets, `Conversation` the bytes of one connection; both give `Entry` after `Entry`.
"""

from __future__ import annotations

from hapcore.decode.conversation import Conversation
from hapcore.decode.keys import KeyRing
from hapcore.decode.model import Direction, Entry, Kind, Touched
from hapcore.decode.text import render, to_json
from hapcore.decode.traffic import Traffic

__all__ = ["Conversation", "Direction", "Entry", "KeyRing", "Kind", "Touched", "Traffic", "render", "to_json"]
