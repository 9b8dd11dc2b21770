"""What the procedures of a peer share: who we are, what is known of the accessory, what the present link is like."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Final

from hapcore.ble import uuids
from hapcore.ble.controller.knowledge import Knowledge
from hapcore.ble.controller.layout import CLEAR_ONLY, Database, Known, hap_services, in_order, matches
from hapcore.ble.controller.steps import Answer, ReadInstanceId, Step, read
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.crypto.secret import Secret
from hapcore.entropy import Entropy
from hapcore.errors import LocalProtocolError, RemoteProtocolError
from hapcore.ids import Value
from hapcore.model.information import IDENTIFY
from hapcore.model.metadata import Metadata, Permission
from hapcore.model.uuid import PAIRING
from hapcore.pairing.records import Pairing
from hapcore.pairing.resume import PairResumeController
from hapcore.pairing.setup import PairSetupController
from hapcore.pairing.verify import PairVerifyController, VerifiedKeys

__all__ = ["Session"]

_LAST_TID: Final = 0xFF


class Session:
    """The memory of a peer."""

    def __init__(self, device_id: str, pairing: Pairing | None, knowledge: Knowledge, entropy: Entropy) -> None:
        self.device_id = device_id
        self.pairing = pairing
        self.entropy = entropy
        self.knowledge = knowledge
        self.database: Database | None = Database(knowledge.layout) if knowledge.layout else None
        #: The machines of the pairing procedures; a recorder puts in some that note what comes of each message.
        self.make_setup: Callable[..., PairSetupController] = PairSetupController
        self.make_verify: Callable[..., PairVerifyController] = PairVerifyController
        self.make_resume: Callable[..., PairResumeController] = PairResumeController
        #: Last known values.
        self.values: dict[int, Value] = {}
        #: What the application wants to hear of, in the order in which it said so.
        self.subscribed: dict[int, None] = {}
        #: True once our own pairing is removed.
        self.finished = False
        #: Values may have changed while there was no link.
        self.stale = False
        #: What was read of a database until a link was lost: number and body by handle, and the table it is of.
        self.unfinished: dict[int, tuple[int, bytes]] = {}
        self._unfinished_of: tuple[GattService, ...] = ()
        self._tid = 0
        # Of the present link:
        self.services: tuple[GattService, ...] = ()
        self.handles: dict[int, GattCharacteristic] = {}
        self.numbers: dict[int, int] = {}
        #: Whether the numbers are from before, and not asked for on this link.
        self.remembered = False
        #: Characteristics whose indications are on.
        self.indicating: set[int] = set()
        #: Characteristics read since the link came up.
        self.fresh: set[int] = set()
        #: The pair-setup between M2 and M3, while somebody looks for the setup code.
        self.setup: PairSetupController | None = None
        #: The outcome of pair-verify or pair-resume, until the engine takes it, and the secret of the present session.
        self.verified: VerifiedKeys | None = None
        self.shared: Secret | None = None

    @property
    def own_id(self) -> bytes | None:
        """Our pairing identifier."""
        return None if self.pairing is None else self.pairing.controller_id.encode()

    @property
    def resume(self) -> tuple[bytes, Secret] | None:
        """Number and secret of the last session, for pair-resume."""
        return self.knowledge.resume

    @resume.setter
    def resume(self, last: tuple[bytes, Secret] | None) -> None:
        self.knowledge.resume = last

    def next_tid(self) -> int:
        """A number for the next request: 1 to 255."""
        self._tid = self._tid % _LAST_TID + 1
        return self._tid

    # --- the link -------------------------------------------------------------------------------------------------

    def link_up(self, table: Sequence[GattService]) -> bool:
        """A new link with these services. Numbers known from before are told by position; False: there are none."""
        self.services = hap_services(table)
        self.forget_numbers()
        layout = self.knowledge.layout
        if layout and matches(layout, self.services):
            for record, service in zip(layout, self.services, strict=True):
                for each, one in zip(record.characteristics, in_order(service), strict=True):
                    self.learn(one, each.iid)
            self.remembered = True
        return self.remembered

    def link_down(self) -> None:
        """Everything that belonged to the link is gone; what is needed to resume stays."""
        self.services = ()
        self.forget_numbers()
        self.indicating.clear()
        self.fresh.clear()
        self.setup = None
        self.verified = None
        self.shared = None

    def begin_database(self) -> None:
        """It is about to be read: what an earlier link got of it counts where the table is still the same."""
        if self._unfinished_of != self.services:
            self.unfinished.clear()
            self._unfinished_of = self.services

    def forget_numbers(self) -> None:
        """They have to be read from the accessory."""
        self.handles.clear()
        self.numbers.clear()
        self.remembered = False

    def learn(self, one: GattCharacteristic, iid: int) -> None:
        """The number of a characteristic of this link; 0 for one that has none."""
        self.numbers[one.handle] = iid
        if iid:
            self.handles.setdefault(iid, one)

    def number(self, one: GattCharacteristic) -> Generator[Step, Answer, int]:
        """The instance id of a characteristic of this link, read once (HAP-BLE A.2.1); 0 where it has none."""
        known = one.iid or self.numbers.get(one.handle)
        if known is None:
            data = yield from read(ReadInstanceId(one.handle))
            known = 0 if data is None else int.from_bytes(data, "little")
            if known > 0xFFFF:
                raise RemoteProtocolError("an instance id of 16 bits", f"{len(data or b'')} other bytes")
        self.learn(one, known)
        return known

    def pairing_characteristic(self, uuid: str) -> GattCharacteristic:
        """A characteristic of the Pairing service. Raises `RemoteProtocolError` where there is none."""
        for service in self.services:
            if service.uuid == PAIRING:
                for one in service.characteristics:
                    if one.uuid == uuid:
                        return one
        advice = "is it an accessory for Bluetooth LE at all?"
        raise RemoteProtocolError(f"the characteristic {uuid} in the Pairing service", "none", advice)

    @property
    def has_pairing_service(self) -> bool:
        """Whether this is the table of an accessory at all."""
        return any(service.uuid == PAIRING for service in self.services)

    def identify_characteristic(self) -> GattCharacteristic | None:
        """Identify as GATT shows it."""
        return next((one for each in self.services for one in each.characteristics if one.uuid == IDENTIFY.uuid), None)

    # --- the database ---------------------------------------------------------------------------------------------

    def metadata(self, iid: int) -> Metadata | None:
        """The metadata of a characteristic, if the database knows it."""
        known = self.find(iid)
        return None if known is None else known.description.metadata

    def find(self, iid: int) -> Known | None:
        """A characteristic by its number; None for those applications do not see."""
        known = None if self.database is None else self.database.known.get(iid)
        return None if known is None or known.uuid in CLEAR_ONLY else known

    def wants_timed_write(self, iid: int) -> bool:
        """Whether the database says that writes must be timed."""
        meta = self.metadata(iid)
        return meta is not None and Permission.TIMED_WRITE in meta.perms

    def identify_iid(self) -> int:
        """The Identify characteristic. Raises `LocalProtocolError` if there is none."""
        if self.database is not None:
            for iid, known in self.database.known.items():
                if known.uuid == uuids.IDENTIFY:
                    return iid
        raise LocalProtocolError("the accessory has no Identify characteristic", argument="aid")
