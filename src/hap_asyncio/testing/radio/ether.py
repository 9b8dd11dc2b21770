"""What is between virtual controllers."""

# Bumble's decorators hide its types from pyright; mypy sees them.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
import math
from typing import Final

from bumble import hci, ll
from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

from .controller import VirtualController

__all__ = ["Ether"]

#: Seconds until two notice that they do not hear each other any more.
_SUPERVISION: Final = 0.1


class Ether(LocalLink):
    """Carries packets between its controllers, each in the next turn of the loop, in order.

    `interval` limits the seconds between two advertisements, whatever their host asked for; `rssi` is what receivers
    report, in dBm.
    """

    def __init__(self, interval: float = math.inf, rssi: int = -50) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.interval = interval
        self.rssi = rssi
        self._stillborn = 0

    def lose_connections(self, count: int) -> None:
        """The next `count` connections are lost before their first packet, as happens on a bad radio link."""
        self._stillborn = count

    def vanish(self, controller: VirtualController) -> None:
        """The controller goes out of range: it hears nobody, nobody hears it, and both sides notice by the silence."""
        self.controllers.discard(controller)
        later = asyncio.get_running_loop().call_later
        for one in controller.le_connections.values():
            reason = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
            later(_SUPERVISION, controller.lose, one.peer_address, reason)
            other = self.find_le_controller(one.peer_address)
            if isinstance(other, VirtualController):
                later(_SUPERVISION, other.lose, one.self_address, reason)

    def come_back(self, controller: VirtualController) -> None:
        """The controller is in range again."""
        self.controllers.add(controller)

    def advertiser(self, address: hci.Address) -> VirtualController | None:
        """Who can be connected to under this address at the moment."""
        for controller in self.controllers:
            advertiser = controller.le_legacy_advertiser
            if advertiser.enabled and advertiser.address == address and isinstance(controller, VirtualController):
                return controller
        return None

    def joined(self, central: VirtualController, address: hci.Address) -> None:
        """Told by a controller that it has connected."""
        if self._stillborn:
            self._stillborn -= 1
            connection = central.le_connections[address]
            other = self.find_le_controller(address)
            reason = hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
            central.lose(address, reason)
            if isinstance(other, VirtualController):
                other.lose(connection.self_address, reason)

    # Bumble's calls.

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is not None and receiver is not None and sender_controller in self.controllers:
            # Under the address of this connection, which need not be the random one.
            source = connection.self_address
            asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, source, transport, data)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        # In order of their names, so that the same happens each time.
        if sender_controller not in self.controllers:
            return
        for controller in sorted(self.controllers, key=lambda one: one.name):
            if controller is sender_controller:
                continue
            if isinstance(packet, ll.ConnectInd):  # at once: of two that answer one advertisement, the first has it
                controller.on_ll_advertising_pdu(packet)
            else:
                asyncio.get_running_loop().call_soon(controller.on_ll_advertising_pdu, packet)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        # Else one of them is out of range.
        if self.find_le_controller(receiver_address) and self.find_le_controller(sender_address):
            super().send_ll_control_pdu(sender_address, receiver_address, packet)
