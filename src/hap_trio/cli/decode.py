"""`hap decode`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import click

from hap_trio.cli.captures import Capture, is_capture
from hap_trio.cli.common import CHARACTERISTIC, Problem, emit, json_option
from hapcore.decode import Entry, KeyRing, Traffic, render, to_json
from hapcore.ids import CharacteristicId
from hapcore.pairing.keylog import read_key_log

__all__ = ["register"]

#: The largest key log: a quarter of a million sessions.
MAX_KEYS: Final = 64 * 1024 * 1024


def _complain(text: str) -> None:
    click.echo(f"hap: {text}", err=True)


def _read_keys(path: Path) -> KeyRing:
    if path.stat().st_size > MAX_KEYS:
        raise Problem(f"{path} is larger than {MAX_KEYS >> 20} MiB")
    log = read_key_log(path.read_bytes())
    for problem in log.problems[:3]:
        _complain(f"{path}, {problem}")
    if len(log.problems) > 3:
        _complain(f"{path}: {len(log.problems) - 3} more lines cannot be read")
    if not log.sessions:
        _complain(f"{path} has no session")
    return KeyRing(log.sessions)


class _Wanted:
    """Which entries are shown."""

    def __init__(self, accessories: tuple[str, ...], characteristics: tuple[CharacteristicId, ...]) -> None:
        self._accessories = {one.casefold() for one in accessories}
        self._characteristics = {(one.aid, one.iid) for one in characteristics}

    def __call__(self, entry: Entry) -> bool:
        if self._accessories:
            address = entry.connection.partition(" > ")[2]
            names = {entry.accessory.casefold(), address.casefold(), address.rpartition(":")[0].strip("[]").casefold()}
            if not self._accessories & names:
                return False
        return not self._characteristics or any((one.aid, one.iid) in self._characteristics for one in entry.touched)


def _entries(traffic: Traffic, capture: Capture) -> Iterator[Entry]:
    for packet in capture:
        yield from traffic.feed(*packet)
    yield from traffic.close()


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--keylog", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The keys of the sessions."
)
@click.option("--accessory", "accessories", multiple=True, metavar="ID", help="Only this one: a device id or address.")
@click.option(
    "-c", "--characteristic", "ids", type=CHARACTERISTIC, multiple=True, help="Only what carries this one: 1.9"
)
@click.option("-v", "--verbose", is_flag=True, help="Show headers, TLV items and bodies too.")
@json_option
def decode(
    file: Path,
    keylog: Path | None,
    accessories: tuple[str, ...],
    ids: tuple[CharacteristicId, ...],
    verbose: bool,
    as_json: bool,
) -> None:
    """Show what was said in a capture: handshakes, requests, answers and events, with their times.

    FILE is a pcap or pcapng, as tcpdump and Wireshark write it, or - for one that arrives on standard input. Sessions
    are encrypted: their keys are in a key log, which programs of this library write where the environment variable
    HAPKEYLOGFILE says so. Without keys the handshakes are shown, and sizes and times of the rest. What was not captured
    is shown as a gap.

    \b
    Example: HAPKEYLOGFILE=keys.log hap watch -a lamp -c 1.9
             hap decode lamp.pcapng --keylog keys.log
             tcpdump -U -w - tcp | hap decode - --keylog keys.log
    """
    keys = None if keylog is None else _read_keys(keylog)
    wanted = _Wanted(accessories, ids)
    with click.open_file(str(file), "rb") as stream:
        source: IO[bytes] = stream
        start = source.read(4)
        if not start:
            raise Problem(f"{file} is empty")
        if not is_capture(start):
            raise Problem(f"{file} is no capture: expected pcap or pcapng")
        traffic, capture = Traffic(keys), Capture(source, start)
        last = ""
        for entry in _entries(traffic, capture):
            if not wanted(entry):
                continue
            if as_json:
                emit(to_json(entry, details=verbose))
            else:
                click.echo(render(entry, details=verbose, connection=entry.connection != last))
                last = entry.connection
    _conclude(file, traffic, capture)


def _conclude(file: Path, traffic: Traffic, capture: Capture) -> None:
    sys.stdout.flush()
    for link, count in traffic.unknown_links.items():
        _complain(f"{count} packets have link type {link}, which is not understood")
    if capture.damaged:
        raise Problem(f"{file}: {capture.trouble}")
    if capture.trouble is not None:
        _complain(f"{file}: {capture.trouble}")
    if not traffic.packets:
        raise Problem(f"{file} has no packets")
    if not traffic.connections:
        raise Problem(f"{file} has no conversation of HAP: {traffic.packets} packets, {traffic.segments} of TCP")


def register(group: click.Group) -> None:
    """Add the command."""
    group.add_command(decode)
