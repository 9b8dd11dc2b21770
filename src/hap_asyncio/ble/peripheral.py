"""The port to a GATT server: what an accessory needs of a Bluetooth stack, and what it offers to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from hapcore.ble.gatt import MAX_ATTRIBUTE, GattService
from hapcore.errors import HapError

__all__ = ["GattApplication", "GattRefusal", "GattServer", "RadioError", "largest_read"]

#: From this ATT MTU on a value is kept so short that one packet carries it; below, long reads are the lesser evil.
_ROOMY: Final = 100


class GattRefusal(Exception):
    """An access is refused: `code` is the ATT error that the central gets."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ATT error 0x{code:02X}")
        self.code = code


class RadioError(HapError):
    """The radio did not do what it was asked to, or is not there. The text is for people."""


class GattApplication(Protocol):
    """Who answers for the attributes. `link` tells one connection from all others; handles are those published.

    At most one access of a link is under way at a time, and there is at most one link.
    """

    def link_opened(self, link: int, max_read: int, max_write: int) -> None:
        """A central has connected; the largest values, in bytes, that it is to be given and may give."""

    def mtu_changed(self, link: int, max_read: int, max_write: int) -> None:
        """Other sizes from now on."""

    def link_closed(self, link: int) -> None:
        """The central is gone. An access under way is cancelled."""

    async def answer_read(self, link: int, handle: int) -> bytes:
        """The value, in full: long reads are made of one call. Raises `GattRefusal`."""
        ...

    async def answer_write(self, link: int, handle: int, data: bytes) -> None:
        """A value, in full: prepared writes are joined. Raises `GattRefusal`."""

    async def answer_subscribe(self, link: int, handle: int, enabled: bool) -> None:
        """Indications are wanted, or not any more. Raises `GattRefusal`."""


class GattServer(Protocol):
    """A GATT server and its advertisements. All calls but `aclose()` raise `RadioError`.

    Advertising pauses while a central is connected, and goes on with the latest that was asked for when it is gone.
    """

    async def publish(self, services: Sequence[GattService], application: GattApplication) -> None:
        """Offer these services, in place of those before.

        Every service gets its Service Instance ID characteristic, every characteristic its instance ID descriptor;
        they are read without asking the application.
        """

    async def advertise(self, data: bytes, scan_response: bytes, interval: float) -> None:
        """Advertise as connectable: complete payloads of at most 31 bytes each, every `interval` seconds."""

    async def stop_advertising(self) -> None:
        """Be silent."""

    async def indicate(self, link: int, handle: int) -> None:
        """Send an empty indication, if the central asked for them; waits for its confirmation."""

    async def drop(self, link: int) -> None:
        """Disconnect a central. Harmless when it is gone."""

    async def aclose(self) -> None:
        """Disconnect everybody, be silent, let go of the radio."""


def largest_read(mtu: int) -> int:
    """Bytes of the largest value to give to a central: fits into one packet, short of what makes it probe for more."""
    return min(mtu - 2, MAX_ATTRIBUTE) if mtu > _ROOMY else MAX_ATTRIBUTE
