"""Our engine with a few more commands, so that it can say everything a recorded controller said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from attrs import field, frozen

from hapcore.ble.controller import configuring
from hapcore.ble.controller.peer import Peer
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.states import Kind, Level
from hapcore.ble.controller.steps import Ask, Procedure, ask
from hapcore.ble.gatt import GattCharacteristic, GattService
from hapcore.codec.pdu import Response
from hapcore.crypto.secret import Secret
from hapcore.engine import Command

__all__ = ["Configure", "Player", "Say", "SayInClear"]


@frozen
class Say(Command[Response]):
    """Any request, in the session."""

    opcode: int
    to: GattCharacteristic
    iid: int
    body: bytes | None = field(default=None, repr=False)


@frozen
class SayInClear(Say):
    """Any request before there is a session."""


@frozen
class Configure(Command[None]):
    """Read the protocol parameters, with a new key if `new_key`."""

    new_key: bool


def _say(session: Session, command: Say) -> Procedure:
    def run() -> Procedure:
        step = Ask(command.opcode, command.to, command.iid, "a recorded request", command.body, repeatable=False)
        return (yield from ask(step))

    del session
    return run()


def _configure(session: Session, command: Configure) -> Procedure:
    return configuring.parameters(session, generate=command.new_key)


class Player(Peer):
    """A peer that also carries out `Say`, numbers its requests as told, and does nothing of its own accord."""

    _procedures: ClassVar[Mapping[type[Command[Any]], Any]] = MappingProxyType(
        {
            **Peer._procedures,
            Say: (Kind.SESSION_REQUEST, Level.SECURED, _say),
            SayInClear: (Kind.IDENTIFY, Level.CLEAR, _say),
            Configure: (Kind.SESSION_REQUEST, Level.SECURED, _configure),
        }
    )
    #: The number of the next request.
    number: Callable[[], int] = staticmethod(lambda: 1)

    def _next_tid(self) -> int:
        return self.number()

    def _level(self, job: Any) -> Level:
        return Level.CLEAR if isinstance(job.command, SayInClear) else super()._level(job)

    def _opened(self, table: Sequence[GattService]) -> None:
        super()._opened(table)
        # A recorded controller that names a wrong number on purpose is no reason to doubt all of them.
        self._session.remembered = False

    def _verified(self) -> None:
        super()._verified()
        self._refresh_due = False
        # Nobody has to read what a recording does not show.
        self._unread_database = False

    def offer(self, number: bytes, shared: Secret) -> None:
        """Resume this session."""
        self._session.resume = (number, shared)

    @property
    def shared(self) -> Secret | None:
        """The secret of the present session."""
        return self._session.shared

    @property
    def knows(self) -> Session:
        """What it knows."""
        return self._session

    def listen_to(self, iid: int) -> None:
        """Take indications and broadcasts of a characteristic."""
        self._session.subscribed[iid] = None

    def expect_broadcasts(self, key: Secret, gsn: int, identifier: bytes) -> None:
        """As after a connection in which the key was made."""
        knowledge = self._session.knowledge
        knowledge.key, knowledge.identifier = key, identifier
        knowledge.prove(gsn)

    def skip_records(self, sealed: int, opened: list[bytes]) -> bool:
        """Records the recorded controller sent and received while ours was silent. False: one does not decrypt."""
        records = self._line.records
        if records is None:
            return True
        for _ in range(sealed):
            records.write.seal(b"")
        return sum(records.read.open(one) is not None for one in opened) == len(opened)
