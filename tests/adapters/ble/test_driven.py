"""A controller whose radio Bumble drives instead of the platform; here it is one of a virtual air, behind TCP."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack

import pytest
from bumble import hci
from tests.adapters.ble.table import in_the_air

from hap_asyncio.ble.central import open_central
from hap_asyncio.ble.client import open_peer
from hap_asyncio.ble.peripheral import RadioError
from hap_asyncio.ble.radio import open_radio
from hap_asyncio.ble.server import open_peripheral
from hap_asyncio.testing.radio import open_air
from hap_asyncio.testing.radio.adapter import Adapter, Heard
from hapcore.catalogue.services import Lightbulb
from hapcore.controller.commands import FinishPairSetup, StartPairSetup
from hapcore.errors import EffectFailed
from hapcore.setup_code import SetupCode


@in_the_air
async def test_both_sides_over_hci():
    light = Lightbulb("Lamp", on=False)
    async with open_air() as air:
        hci = f"tcp-client:127.0.0.1:{await air.lend()}"
        async with open_peripheral(light, radio=hci) as server, open_central(adapter=f"bumble:{hci}") as central:
            async with open_peer(central, device_id=server.device_id) as peer:
                await peer.do(StartPairSetup())
                await peer.do(FinishPairSetup(SetupCode(server.setup_code)))
                await peer.write({light.on.id: True})
            assert light.on.value is True


@in_the_air
async def test_an_air_that_serves_a_host(tmp_path):
    """As it serves Linux itself, behind "vhci"; here the host is at a socket."""
    hosts: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    path = str(tmp_path / "hci")
    listening = await asyncio.start_unix_server(lambda *host: hosts.put_nowait(host), path)
    async with open_air() as air:
        await air.serve(f"unix:{path}")
        answers, commands = await hosts.get()
        commands.write(bytes(hci.HCI_Reset_Command()))
        answer = hci.HCI_Packet.from_bytes(await answers.readexactly(7))
        assert isinstance(answer, hci.HCI_Command_Complete_Event)
        assert answer.command_opcode == hci.HCI_RESET_COMMAND
    assert await answers.read() == b""
    commands.close()
    listening.close()


@in_the_air
async def test_a_controller_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        hci = f"tcp-client:127.0.0.1:{nobody.getsockname()[1]}"
    async with open_central(adapter=f"bumble:{hci}") as central:  # noqa: SIM117 - too long for one line
        async with open_peer(central, device_id="12:34:56:78:9A:BC") as peer:
            with pytest.raises(EffectFailed, match="cannot open the Bluetooth controller 'tcp-client"):
                await peer.do(StartPairSetup())


@in_the_air
async def test_lent_controllers_go_with_their_air(caplog):
    async with AsyncExitStack() as stack:
        async with open_air() as air:
            hci = f"tcp-client:127.0.0.1:{await air.lend()}"
            radio = await stack.enter_async_context(open_radio(hci, address="F0:F1:F2:F3:F4:F5"))
            await radio.advertise(b"", b"", 0.1)
        while not caplog.messages:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        assert caplog.messages == ["the Bluetooth controller is gone"]
        with pytest.raises(RadioError, match="the Bluetooth controller is gone"):
            await radio.stop_advertising()


@in_the_air
async def test_extended_reports_of_real_controllers():
    """They tell a scan response by a flag."""
    report = hci.HCI_LE_Extended_Advertising_Report_Event
    flags, heard = report.EventType, []
    async with open_air() as air:
        device = await air.device()
        adapter = Adapter(device)
        await adapter.listen(heard.append, active=True)
        for kind, data in (
            (flags.CONNECTABLE_ADVERTISING, b"\x02\x01\x06"),
            (flags.CONNECTABLE_ADVERTISING | flags.SCAN_RESPONSE, b"\x05\x09Lamp"),
        ):
            device.host.emit("advertising_report", _extended(int(kind), data))
        await adapter.aclose()
    assert isinstance(heard[-1], Heard)
    assert heard[-1].structures == ((1, b"\x06"), (9, b"Lamp"))


def _extended(kind: int, data: bytes) -> hci.HCI_LE_Extended_Advertising_Report_Event.Report:
    return hci.HCI_LE_Extended_Advertising_Report_Event.Report(
        event_type=kind | hci.HCI_LE_Extended_Advertising_Report_Event.EventType.LEGACY_ADVERTISING_PDU_USED,
        address_type=hci.Address.RANDOM_DEVICE_ADDRESS,
        address=hci.Address("F0:F1:F2:F3:F4:F5"),
        primary_phy=1,
        secondary_phy=0,
        advertising_sid=0xFF,
        tx_power=127,
        rssi=-50,
        periodic_advertising_interval=0,
        direct_address_type=0,
        direct_address=hci.Address("00:00:00:00:00:00"),
        data=data,
    )
