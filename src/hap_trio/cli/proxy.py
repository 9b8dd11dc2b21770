"""`hap proxy`."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import click
import trio

from hap_trio.cli.common import controller, emit, file_option, json_option, recorded, recording, run
from hap_trio.cli.filters import load_filters
from hap_trio.cli.forwarding import open_proxy
from hap_trio.cli.passing import record, sentences
from hap_trio.cli.serve import code_option, introduce, local_address, port_option, state_option
from hap_trio.client import Client
from hap_trio.controller import Controller
from hapcore.decode.model import Entry
from hapcore.errors import TimedOut
from hapcore.ip.accessory import Server
from hapcore.proxy import Filters, Proxy

__all__ = ["register"]

#: Seconds to look for the accessory's announcement, which alone says its category.
LOOK_UP_LIMIT = 3.0
#: The longest name that can be announced, in bytes of UTF-8.
LONGEST_NAME = 63


async def _category(home: Controller, client: Client) -> int | None:
    try:
        return (await home.find(client.pairing.accessory_id, LOOK_UP_LIMIT)).category
    except TimedOut:
        return None


def _name(name: str, suffix: str) -> str:
    """The accessory's name with the suffix; the name is cut where both are too long."""
    room = max(0, LONGEST_NAME - len(suffix.encode()))
    return (name.encode()[:room].decode(errors="ignore") + suffix).strip() or "Proxy"


async def _proxy(
    alias: str,
    file: str,
    behind: str | None,
    interfaces: tuple[str, ...],
    suffix: str,
    category: int | None,
    filters: Filters,
    state: str | None,
    listen: str | None,
    port: int,
    code: str | None,
    mdns: bool,
    tell: Callable[[Entry], object],
    as_json: bool,
) -> None:
    tape = recording()
    async with controller(file, mdns=behind is None, interfaces=interfaces) as home:
        client = home.connect(alias, address=behind)
        described = await client.accessories()
        if category is None and behind is None:
            category = await _category(home, client)
        accessory_id = client.pairing.accessory_id
        proxy = Proxy(
            described, accessory_id=accessory_id, clock=time.time, tell=tell, filters=filters, category=category
        )
        name = _name(proxy.database.accessories[0].name, suffix)
        # Both signals end the block in good order, as those of `hap serve`.
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with open_proxy(
                proxy,
                client,
                name=name,
                state=state,
                address=listen,
                port=port,
                setup_code=code,
                mdns=mdns,
                engine=Server if tape is None else tape.server,
            ) as server:
                introduce(server, name, as_json)
                async for _ in signals:
                    break
    if as_json:
        emit({"event": "stopped"})


@click.command(short_help="Stand between an accessory and its controllers.")
@click.argument("alias")
@state_option
@code_option
@port_option
@click.option("--listen", callback=local_address, metavar="ADDRESS", help="Listen on this local address only.")
@click.option("--no-mdns", is_flag=True, help="Do not announce it; controllers need its address then.")
@click.option(
    "--name-suffix", default=" (proxy)", show_default=True, help="What is added to the name that is announced."
)
@click.option("--category", type=click.IntRange(1), help="The category's number; the accessory's own if not given.")
@click.option("--filter", "filters", metavar="MODULE|FILE.py", help="Functions that alter values, see the docs.")
@click.option("-v", "--verbose", is_flag=True, help="Show all values of long messages, too.")
@file_option
@click.option("--address", metavar="HOST:PORT", help="Where the accessory is; then mDNS is not needed to find it.")
@click.option(
    "--interface",
    "interfaces",
    multiple=True,
    metavar="ADDRESS",
    help="Look for it on this interface or local address only.",
)
@recorded
@json_option
def proxy(
    alias: str,
    state: str | None,
    code: str | None,
    port: int,
    listen: str | None,
    no_mdns: bool,
    name_suffix: str,
    category: int | None,
    filters: str | None,
    verbose: bool,
    file: str,
    address: str | None,
    interfaces: tuple[str, ...],
    as_json: bool,
) -> None:
    """Stand between an accessory and its controllers, and show what they say.

    ALIAS is an accessory you have paired. The proxy presents it again: same database, its own device id and setup code.
    Pair any controller with it; what that reads, writes and subscribes to is passed on, as are the accessory's answers
    and events, and every message is shown. Without --state it is a new device at each start.

    A filter is a Python module or file with one or both of the functions
    to_accessory(aid, iid, value, caller) and to_controller(aid, iid, value); each returns the value to pass on.

    \b
    Example: hap proxy lamp --state proxy.json --record lamp.jsonl.gz
             hap proxy lamp --filter dimmer.py
    """
    loaded = load_filters(filters)

    def tell(entry: Entry) -> None:
        if as_json:
            emit(record(entry))
        else:
            click.echo(sentences(entry, everything=verbose))

    arguments = (alias, file, address, interfaces, name_suffix, category, loaded, state, listen, port, code)
    run(_proxy, *arguments, not no_mdns, tell, as_json)


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(proxy)
