"""Your accessory and a controller over Bluetooth LE: no hardware, but real advertisements, ATT and time."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Unpack

from hap_sync.ble import PeripheralServer, open_peripheral
from hap_sync.client import Client
from hap_sync.controller import Controller, open_controller
from hapcore.ip.accessory.settings import Served, Settings

from .air import Air, Radio, open_air

__all__ = ["AirPair", "open_air_pair"]

_SETUP_CODE = "031-45-154"


class _Errors(logging.Handler):
    """Notes what handlers raise."""

    def __init__(self, errors: list[BaseException]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[1] is not None:
            self._errors.append(record.exc_info[1])


class AirPair:
    """What you serve, and a controller that is paired with it, in the thread of the test; from `open_air_pair()`.

    Whichever side waits carries the other one too; `accessory.run(seconds)` just waits.
    """

    def __init__(self, what: Served, settings: Settings, stack: ExitStack) -> None:
        #: What handlers raised, but for `HapStatusError`, which is an answer. `hap_air_pair` raises the first.
        self.errors: list[BaseException] = []
        self.air: Air = stack.enter_context(open_air())
        #: The accessory's: `air.vanish(pair.radio)` takes it out of range.
        self.radio: Radio = self.air.peripheral("Pair")
        self._what = what
        self._settings: Settings = {"setup_code": _SETUP_CODE, **settings}
        self._serving = stack.enter_context(ExitStack())
        self.accessory = self._serve()
        #: All that a controller can do: `find`, `identify`, `pair` ...
        self.home: Controller = stack.enter_context(open_controller(mdns=False, ble=self.air.bleak()))
        self.controller: Client = self.home.pair(self.accessory.device_id, self.accessory.setup_code, "accessory")

    def restart(self) -> None:
        """Switch the accessory off and on. It knows its pairings if the settings name a file for its `state`."""
        self._serving.close()
        self.accessory = self._serve()

    def _serve(self) -> PeripheralServer:
        return self._serving.enter_context(open_peripheral(self._what, radio=self.radio, **self._settings))


@contextmanager
def open_air_pair(what: Served, **settings: Unpack[Settings]) -> Generator[AirPair, None, None]:
    """Serve `what` over a virtual air and pair a controller with it, for the length of a block.

    `settings` are those of `hap_sync.ble.serve()`. Raises `LocalProtocolError` for an accessory that HAP does not
    allow over Bluetooth LE. Handlers are ordinary functions.
    """
    log = logging.getLogger("hap_sync")
    with ExitStack() as stack:
        pair = AirPair(what, settings, stack)
        handler = _Errors(pair.errors)
        log.addHandler(handler)
        stack.callback(log.removeHandler, handler)
        yield pair
