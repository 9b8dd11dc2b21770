"""A door lock that wants a PIN and locks itself again: `LOCK_PIN=482913 python door_lock.py`, until Ctrl-C.

Timed writes: a command that was held up on its way opens no door. Additional authorization: who opens sends the PIN
with the write, as an app of your own can; locking needs none.
"""

import hmac
import os
import sys

import trio

import hap_trio
from hapcore.accessory import Caller, Characteristic, HapStatus, HapStatusError
from hapcore.catalogue.characteristics import LOCK_TARGET_STATE
from hapcore.catalogue.services import LockMechanism
from hapcore.catalogue.values import LockCurrentState, LockTargetState

PIN = (os.environ.get("LOCK_PIN") or sys.exit("LOCK_PIN must have the PIN that opens the door")).encode()
#: Wrong PINs in a row, after which nobody opens for so many seconds.
TRIES, PAUSE = 5, 300.0

target = Characteristic(LOCK_TARGET_STATE, LockTargetState.SECURED, timed=True, authorized=True)
lock = LockMechanism("Front door", lock_current_state=LockCurrentState.SECURED, lock_target_state=target)


class Door:
    """The bolt, who may draw it, and the clock that shoots it again after `open_for` seconds."""

    def __init__(self, nursery: trio.Nursery, open_for: float) -> None:
        self.nursery, self.open_for = nursery, open_for
        self.clock = trio.CancelScope()
        self.wrong, self.closed_until = 0, 0.0

    def check(self, caller: Caller) -> None:
        """Refuse to open, for whoever has no PIN or a wrong one."""
        if trio.current_time() < self.closed_until:
            raise HapStatusError(HapStatus.NOT_ALLOWED)
        if not hmac.compare_digest(caller.auth_data or b"", PIN):
            self.wrong += 1
            if self.wrong % TRIES == 0:
                self.closed_until = trio.current_time() + PAUSE
            raise HapStatusError(HapStatus.INSUFFICIENT_AUTHORIZATION)
        self.wrong = 0

    async def turn(self, wanted: LockTargetState, caller: Caller) -> None:
        if wanted is LockTargetState.UNSECURED:
            self.check(caller)
        await self.move(wanted)
        self.clock.cancel()
        if wanted is LockTargetState.UNSECURED:
            self.clock = trio.CancelScope()
            self.nursery.start_soon(self.relock, self.clock)

    async def move(self, wanted: LockTargetState) -> None:
        """Here your motor turns; it raises HapStatusError(HapStatus.UNABLE_TO_COMMUNICATE) when it is stuck."""
        await trio.lowlevel.checkpoint()
        lock.lock_current_state.value = LockCurrentState(int(wanted))

    async def relock(self, clock: trio.CancelScope) -> None:
        with clock:
            await trio.sleep(self.open_for)
            target.value = LockTargetState.SECURED
            await self.move(LockTargetState.SECURED)


async def main(open_for: float = 20.0) -> None:
    async with trio.open_nursery() as nursery:
        target.setter(Door(nursery, open_for).turn)
        await hap_trio.serve(lock, state="lock.json")


if __name__ == "__main__":
    trio.run(main)
