"""What is to be done, one after the other: commands, and what the engine does of its own accord."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from hapcore.ble.controller import access, chores, handshakes
from hapcore.ble.controller import typed as typed_access
from hapcore.ble.controller.session import Session
from hapcore.ble.controller.states import Kind, Level, Transition
from hapcore.ble.controller.steps import Procedure
from hapcore.controller import commands, typed
from hapcore.engine import Command, CommandId

__all__ = ["PROCEDURES", "Build", "Job"]

Build: TypeAlias = Callable[[Session, Any], Procedure]

PROCEDURES: Final[Mapping[type[Command[Any]], tuple[Kind, Level, Build]]] = MappingProxyType(
    {
        commands.StartPairSetup: (Kind.START_SETUP, Level.CLEAR, handshakes.start_setup),
        commands.FinishPairSetup: (Kind.FINISH_SETUP, Level.CLEAR, handshakes.finish_setup),
        commands.VerifyPairing: (Kind.VERIFY, Level.SECURED, chores.verified),
        commands.Identify: (Kind.IDENTIFY, Level.DATABASE, access.identify),
        commands.GetAccessories: (Kind.SESSION_REQUEST, Level.DATABASE, access.get_accessories),
        typed.Describe: (Kind.SESSION_REQUEST, Level.DATABASE, typed_access.describe),
        commands.Read: (Kind.SESSION_REQUEST, Level.DATABASE, access.read),
        commands.Write: (Kind.SESSION_REQUEST, Level.DATABASE, access.write),
        typed.GetValue: (Kind.SESSION_REQUEST, Level.DATABASE, typed_access.get_value),
        typed.SetValue: (Kind.SESSION_REQUEST, Level.DATABASE, typed_access.set_value),
        commands.Subscribe: (Kind.SESSION_REQUEST, Level.DATABASE, access.subscribe),
        commands.Unsubscribe: (Kind.SESSION_REQUEST, Level.NONE, access.subscribe),
        commands.Snapshot: (Kind.SESSION_REQUEST, Level.NONE, typed_access.snapshot),
        commands.ListPairings: (Kind.SESSION_REQUEST, Level.SECURED, handshakes.list_pairings),
        commands.AddPairing: (Kind.SESSION_REQUEST, Level.SECURED, handshakes.add_pairing),
        commands.RemovePairing: (Kind.SESSION_REQUEST, Level.SECURED, handshakes.remove_pairing),
    }
)


class Job:
    """One accepted command (`number`), or something the engine does of its own accord."""

    __slots__ = ("build", "command", "kind", "level", "number", "procedure", "then", "touched", "transition", "tries")

    def __init__(self, command: Command[Any] | None, build: Callable[[], Procedure], level: Level) -> None:
        self.command = command
        self.build = build
        self.level = level
        self.procedure: Procedure = build()
        self.number: CommandId | None = None
        self.kind: Kind | None = None
        self.transition: Transition | None = None
        #: What the engine does with the result of its own job.
        self.then: Callable[[], None] | None = None
        #: Whether something was sent that must not be sent twice.
        self.touched = False
        self.tries = 0
