"""The second half of a pairing: with the code, to the record on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hapcore.errors import HapError
from hapcore.home.target import Target
from hapcore.ip.controller import FinishPairSetup, RemovePairing, VerifyPairing
from hapcore.pairing.records import Pairing
from hapcore.setup_code import SetupCode
from hapcore.state import PairedAccessory

from .client import Client
from .session import Session
from .tasks import Uncancelled

__all__ = ["StartedPairing"]

#: Seconds to undo a pairing that could not be stored.
UNDO_LIMIT = 10.0


class StartedPairing:
    """The accessory has agreed to be paired and may show its setup code now. From `Controller.start_pairing()`."""

    def __init__(
        self,
        session: Session,
        target: Target,
        alias: str,
        save: Callable[[PairedAccessory], Awaitable[None]],
        connect: Callable[[str], Client],
    ) -> None:
        self._session = session
        self._target = target
        self._alias = alias
        self._save = save
        self._connect = connect
        self._started = True

    async def finish(self, setup_code: str) -> Client:
        """Pair with the code "XXX-XX-XXX"; the pairing is stored before this returns.

        Raises `LocalProtocolError` for what is no code and `PairingRefused` for a wrong one: call again with another.
        Cannot be cancelled half way, because once the accessory knows us we must remember it; it takes a second or so,
        and about a minute at worst. Where the pairing cannot be stored it is removed from the accessory again.
        """
        code = SetupCode(setup_code, allow_trivial=True)
        if not self._started:
            await self._session.do(self._target.start)
        self._started = False
        await asyncio.sleep(0)  # the last moment to turn back
        with Uncancelled() as patient:
            pairing = await patient.wait(self._session.submit(FinishPairSetup(code)))
            try:
                await self._save(self._target.record(self._alias, pairing))
            except Exception as error:
                await self._undo(patient, pairing, error)
                raise
            finally:
                self._session.close()  # the client opens its own
        return self._connect(self._alias)

    async def _undo(self, patient: Uncancelled, pairing: Pairing, error: Exception) -> None:
        limit = asyncio.get_running_loop().call_later(UNDO_LIMIT, self._session.close)
        try:
            await patient.wait(self._session.submit(VerifyPairing(pairing)))
            await patient.wait(self._session.submit(RemovePairing(pairing.controller_id.encode())))
        except HapError:
            error.add_note("the accessory was paired with a key that is lost now: reset it before pairing it again")
        finally:
            limit.cancel()
