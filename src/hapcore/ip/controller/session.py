"""What one connection has learnt so far: the database, whose pairing it uses, a pair-setup that waits for its code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from hapcore.engine import ConnectionId
from hapcore.entropy import Entropy
from hapcore.errors import HapError, LocalProtocolError
from hapcore.ids import CharacteristicId
from hapcore.ip.controller.requests import host_header
from hapcore.model.information import IDENTIFY
from hapcore.model.metadata import Metadata, Permission
from hapcore.model.remote import AccessoryDescription, CharacteristicDescription
from hapcore.model.uuid import IMMEDIATE
from hapcore.pairing.setup import PairSetupController
from hapcore.pairing.verify import PairVerifyController, VerifiedKeys

__all__ = ["CONNECTION", "Session"]

#: A controller engine has one connection.
CONNECTION: Final = ConnectionId(0)
#: A note to whatever ends a pair-setup between M5 and M6.
IN_DOUBT: Final = (
    "the accessory may have stored a pairing whose key is lost now: if it says that it is paired, reset it"
)


class Session:
    """The memory shared by the procedures of one connection."""

    __slots__ = (
        "accessories",
        "accessory_id",
        "characteristics",
        "entropy",
        "finished",
        "host",
        "in_doubt",
        "keys",
        "keys_kept",
        "make_setup",
        "make_verify",
        "own_id",
        "presses",
        "setup",
    )

    def __init__(self, host: str, entropy: Entropy, database: Iterable[AccessoryDescription]) -> None:
        self.host = host_header(host)
        self.entropy = entropy
        #: The machines of the pairing procedures; a recorder puts in some that note what comes of each message.
        self.make_setup: Callable[..., PairSetupController] = PairSetupController
        self.make_verify: Callable[..., PairVerifyController] = PairVerifyController
        self.accessories: tuple[AccessoryDescription, ...] = ()
        self.characteristics: dict[tuple[int, int], CharacteristicDescription] = {}
        self.presses: frozenset[tuple[int, int]] = frozenset()
        #: The pair-setup between M2 and M3, while somebody looks for the setup code.
        self.setup: PairSetupController | None = None
        #: The outcome of a pair-verify, until the engine takes it.
        self.keys: VerifiedKeys | None = None
        #: The pairing identifier of this session.
        self.own_id: bytes | None = None
        #: Whom it was verified with.
        self.accessory_id = ""
        #: True when the accessory is about to close because we removed ourselves.
        self.finished = False
        #: Whoever asked for the pair-setup under way brought the keys, and has them whatever comes of it.
        self.keys_kept = False
        #: True from M5 to M6: the accessory may have stored a pairing of which nobody has the keys.
        self.in_doubt = False
        self.learn(tuple(database))

    def confess(self, error: HapError) -> None:
        """Have an error that ends a command say what is to be done, where that is not obvious."""
        if self.in_doubt:
            self.in_doubt = False
            error.add_note(IN_DOUBT)

    def learn(self, accessories: tuple[AccessoryDescription, ...]) -> None:
        """Keep a database; values are converted by it from now on."""
        self.accessories = accessories
        self.characteristics = {
            (accessory.aid, one.iid): one
            for accessory in accessories
            for service in accessory.services
            for one in service.characteristics
        }
        self.presses = frozenset(key for key, one in self.characteristics.items() if one.type in IMMEDIATE)

    def metadata(self, one: tuple[int, int]) -> Metadata | None:
        """The metadata of a characteristic, if the database knows it."""
        found = self.characteristics.get(one)
        return None if found is None else found.metadata

    def wants_timed_write(self, one: tuple[int, int]) -> bool:
        """Whether the database says that writes must be timed."""
        meta = self.metadata(one)
        return meta is not None and Permission.TIMED_WRITE in meta.perms

    def identify_of(self, aid: int) -> CharacteristicId:
        """The Identify characteristic of an accessory. Raises `LocalProtocolError` if it has none."""
        for accessory in self.accessories:
            if accessory.aid == aid:
                for service in accessory.services:
                    for one in service.characteristics:
                        if one.type == IDENTIFY.uuid:
                            return CharacteristicId(aid, one.iid)
        raise LocalProtocolError(f"accessory {aid} has no Identify characteristic", argument="aid")
