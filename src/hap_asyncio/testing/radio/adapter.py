"""The computer's own Bluetooth adapter, as the bleak backends of `air.bleak()` share it."""

# Bumble's decorators hide its types from pyright; mypy sees them.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias, TypeVar

from attrs import frozen
from bumble import core, hci
from bumble.core import AdvertisingData
from bumble.device import Connection, Device

from hap_asyncio.tasks import Tasks, settle

__all__ = ["Adapter", "Heard"]

T = TypeVar("T")
#: Seconds between two attempts to cancel a connection that is about to be made.
_AGAIN: Final = 0.01
#: Seconds for the other side's controller to confirm the end of a connection.
_PARTING: Final = 2.0
_Report: TypeAlias = hci.HCI_LE_Advertising_Report_Event.Report | hci.HCI_LE_Extended_Advertising_Report_Event.Report


@frozen
class Heard:
    """One advertiser: the latest of its advertisement and its scan response, together."""

    address: hci.Address
    structures: tuple[tuple[int, bytes], ...]
    rssi: int


Hearer: TypeAlias = Callable[[Heard], None]


class Adapter:
    """Scans for any number of scanners at a time, and makes one connection at a time."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.tasks = Tasks()
        self._begun: set[asyncio.Task[Any]] = set()
        self._hearers: list[Hearer] = []
        self._changing = asyncio.Lock()
        self._dialling = asyncio.Lock()
        self._parts: dict[hci.Address, dict[bool, bytes]] = {}
        device.host.on("advertising_report", self._report)

    async def listen(self, hearer: Hearer, *, active: bool) -> None:
        """Tell `hearer` of every advertisement from now on. The first one decides whether scan responses are asked."""
        async with self._changing:
            self._hearers.append(hearer)
            if len(self._hearers) == 1:
                self._parts.clear()
                await self.device.start_scanning(active=active)

    async def unlisten(self, hearer: Hearer) -> None:
        """Stop telling it."""
        async with self._changing:
            if hearer in self._hearers:
                self._hearers.remove(hearer)
                if not self._hearers:
                    await self.device.stop_scanning()

    async def dial(self, address: hci.Address, timeout: float) -> Connection:  # noqa: ASYNC109 - bleak's contract
        """Connect. Raises `TimeoutError`; a connection made just as the wait is cancelled is given up again."""
        async with self._dialling:
            attempt = asyncio.ensure_future(self.device.connect_le(address, timeout=None))
            try:
                await asyncio.wait([attempt], timeout=timeout)
            except asyncio.CancelledError:  # it may have come together with the connection
                await settle(self._give_up(attempt))
                raise
            if not attempt.done():
                await settle(self._give_up(attempt))
                raise TimeoutError
            if attempt.cancelled() or isinstance(attempt.exception(), core.ConnectionError):
                raise TimeoutError
            return attempt.result()

    async def hang_up(self, connection: Connection) -> None:
        """End a connection and wait until it has ended."""
        task = self.tasks.start(self._disconnect(connection))
        await asyncio.wait([task], timeout=_PARTING)

    def begin(self, what: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Have it done, whether or not somebody goes on waiting for it."""
        task = asyncio.ensure_future(what)
        self._begun.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._begun.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever wanted to know has asked the task

    async def aclose(self) -> None:
        """End every connection, and be quiet."""
        self._hearers.clear()
        for connection in list(self.device.connections.values()):
            await self.hang_up(connection)
        for task in self._begun:
            task.cancel()
        await self.tasks.aclose()

    async def _disconnect(self, connection: Connection) -> None:
        await self.device.disconnect(connection, hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR)

    async def _give_up(self, attempt: asyncio.Future[Connection]) -> None:
        deadline = asyncio.get_running_loop().time() + _PARTING
        while not attempt.done() and asyncio.get_running_loop().time() < deadline:
            if self.device.is_le_connecting:
                await self.device.send_sync_command_raw(hci.HCI_LE_Create_Connection_Cancel_Command())
            await asyncio.wait([attempt], timeout=_AGAIN)
        if not attempt.done():
            attempt.cancel()
            await asyncio.wait([attempt])
        if not attempt.cancelled() and attempt.exception() is None:
            await self.hang_up(attempt.result())

    def _report(self, report: _Report) -> None:
        parts = self._parts.setdefault(report.address, {})
        parts[_is_scan_response(report)] = report.data
        both = (structure for data in parts.values() for structure in AdvertisingData.from_bytes(data).ad_structures)
        heard = Heard(report.address, tuple(both), report.rssi)
        for hearer in tuple(self._hearers):
            hearer(heard)


def _is_scan_response(report: _Report) -> bool:
    """Real controllers report in the extended form, where the kind is a set of flags."""
    if isinstance(report, hci.HCI_LE_Extended_Advertising_Report_Event.Report):
        return bool(report.event_type & hci.HCI_LE_Extended_Advertising_Report_Event.EventType.SCAN_RESPONSE)
    return report.event_type == hci.HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP
