"""A virtual Bluetooth controller: Bumble's, with what it leaves out or does differently from a chip."""

# Bumble's decorators hide its types from pyright; mypy sees them.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeArgument=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from bumble import hci, ll
from bumble.controller import Controller, LegacyAdvertiser

if TYPE_CHECKING:
    from .ether import Ether

__all__ = ["VirtualController"]

#: What fits into a legacy advertisement, and into a scan response: the whole of what HAP may use.
_PAYLOAD_LIMIT: Final = 31
#: Seconds between two advertisements of a host that did not say; the least that Bluetooth allows.
_LEAST_INTERVAL: Final = 0.02
#: Interval units of HCI, in seconds.
_UNIT: Final = 0.000625
#: Reports remembered to leave out repeated ones; chips remember a few dozen.
_DUPLICATES_LIMIT: Final = 256
_REPORT = hci.HCI_LE_Advertising_Report_Event
_OK = hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)


class Advertised(ll.AdvInd):
    """A connectable advertisement, with the answer to whoever asks for more."""

    scan_response: bytes = b""


class Advertiser(LegacyAdvertiser):
    """Sends advertisements at the interval that was asked for, or quicker where a test has no time."""

    #: The longest that this air lets it wait, in seconds.
    longest = math.inf

    def _on_timer_fired(self) -> None:
        self.send_advertising_data()
        delay = min(max(self.advertising_interval_min * _UNIT, _LEAST_INTERVAL), self.longest)
        self.timer_handle = asyncio.get_running_loop().call_later(delay, self._on_timer_fired)

    def send_advertising_data(self) -> None:
        kinds = hci.HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType
        if self.enabled and self.advertising_type == kinds.ADV_IND:
            advertisement = Advertised(self.address, self.advertising_data)
            advertisement.scan_response = self.scan_response_data
            self.controller.send_advertising_pdu(advertisement)


class VirtualController(Controller):
    """One chip in an `Ether`. Legacy advertising only: what is longer than 31 bytes is refused, as chips do."""

    def __init__(self, name: str, ether: Ether, public_address: hci.Address) -> None:
        super().__init__(name, link=ether, public_address=public_address)
        self.ether = ether
        self.le_legacy_advertiser = advertiser = Advertiser(self)
        advertiser.longest = ether.interval
        # Hosts that believe in these wait for events that Bumble's controller never sends.
        self.le_features &= ~(hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING)
        self._reported: dict[tuple[hci.Address, int], bytes] = {}

    def stop(self) -> None:
        """Fall silent for good: no advertisement, no answer, nothing to the host."""
        self.le_legacy_advertiser.stop()
        self.host = None

    # Bumble writes every packet out for a log that nobody reads; these do not.

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if self.host is not None:
            asyncio.get_running_loop().call_soon(self.host.on_packet, bytes(packet))

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if isinstance(packet, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)
        elif isinstance(packet, hci.HCI_Command):
            self.on_hci_command_packet(packet)

    # What the host asks for; the names are Bumble's.

    def on_hci_le_set_advertising_data_command(
        self, command: hci.HCI_LE_Set_Advertising_Data_Command
    ) -> hci.HCI_StatusReturnParameters:
        if len(command.advertising_data) > _PAYLOAD_LIMIT:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        return super().on_hci_le_set_advertising_data_command(command)

    def on_hci_le_set_scan_response_data_command(
        self, command: hci.HCI_LE_Set_Scan_Response_Data_Command
    ) -> hci.HCI_StatusReturnParameters:
        if len(command.scan_response_data) > _PAYLOAD_LIMIT:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR)
        return super().on_hci_le_set_scan_response_data_command(command)

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        self._reported.clear()
        return super().on_hci_le_set_scan_enable_command(command)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        asyncio.get_running_loop().call_soon(self._fail_connection, pending.peer_address)
        return _OK

    def _fail_connection(self, address: hci.Address) -> None:
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=address.address_type,
                peer_address=address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )

    # What comes through the air.

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        if not isinstance(pdu, Advertised):
            return
        if self.le_scan_enable:
            active = self.le_scan_type == hci.HCI_LE_Set_Scan_Parameters_Command.ACTIVE_SCANNING
            self._report(pdu.advertiser_address, _REPORT.EventType.ADV_IND, pdu.data)
            if active:
                self._report(pdu.advertiser_address, _REPORT.EventType.SCAN_RSP, pdu.scan_response)
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self._join(pending.peer_address)

    def _report(self, address: hci.Address, kind: int, data: bytes) -> None:
        if self.filter_duplicates:
            if self._reported.get((address, kind)) == data:
                return
            if len(self._reported) >= _DUPLICATES_LIMIT:
                self._reported.clear()
            self._reported[address, kind] = data
        report = _REPORT.Report(
            event_type=kind, address_type=address.address_type, address=address, data=data, rssi=self.ether.rssi
        )
        self.send_hci_packet(_REPORT([report]))

    def _join(self, address: hci.Address) -> None:
        """Connect, unless somebody else was quicker: then the advertiser is silent already."""
        if self.le_connections.get(address) is None and self.ether.advertiser(address) is not None:
            self.create_le_connection(address)
            self.ether.joined(self, address)

    def lose(self, address: hci.Address, reason: int) -> None:
        """The connection with this peer is over."""
        connection = self.le_connections.get(address)
        if connection is not None:
            self.on_le_disconnected(connection, reason)
