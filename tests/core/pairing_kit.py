"""Identities, a counting source of randomness and whole handshakes, for the tests of the pairing machines."""

from __future__ import annotations

import random

from hapcore.codec import tlv8
from hapcore.crypto.secret import Secret
from hapcore.pairing.items import Item
from hapcore.pairing.records import ControllerIdentity, Identity, PairedController, Pairing

CODE = "031-45-154"
ACCESSORY = Identity("E1:91:1A:70:85:AA", Secret(b"\x22" * 32))
CONTROLLER = ControllerIdentity("3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162", Secret(b"\x11" * 32))
STRANGER = ControllerIdentity("00000000-5F0D-4E2B-9A6C-1D2E3F405162", Secret(b"\x12" * 32))
PAIRED = PairedController(CONTROLLER.identifier.encode(), CONTROLLER.ltpk, admin=True)
PAIRING = Pairing(ACCESSORY.device_id, ACCESSORY.ltpk, CONTROLLER.identifier, CONTROLLER.ltsk)


class Draws:
    """Seeded randomness that remembers which labels were drawn; the first draws can be given."""

    def __init__(self, seed: str = "", **first: list[bytes]) -> None:
        self._random = random.Random(seed)
        self._first = first
        self.labels: list[str] = []

    def __call__(self, label: str, size: int) -> bytes:
        self.labels.append(label)
        waiting = self._first.get(label.rpartition(".")[2].replace("-", "_"))
        return waiting.pop(0) if waiting else self._random.randbytes(size)


def value_of(body: bytes | None, item: Item) -> bytes:
    assert body is not None
    value = tlv8.first(tlv8.decode(body), item)
    assert value is not None
    return value


def outcome(body: bytes | None) -> tuple[int, int] | int:
    """400 for no body, else the state, with the error if there is one."""
    if body is None:
        return 400
    items = tlv8.decode(body)
    state = tlv8.first(items, Item.STATE)
    error = tlv8.first(items, Item.ERROR)
    assert state is not None
    return state[0] if error is None else (state[0], error[0])
