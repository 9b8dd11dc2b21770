"""`hap decode`."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import click

from hap_sync.recording import read_file
from hap_trio.cli.captures import Capture, is_capture
from hap_trio.cli.common import CHARACTERISTIC, Problem, emit, json_option
from hap_trio.cli.page import write_page
from hapcore.decode import Entry, KeyRing, Traffic, render, to_json
from hapcore.ids import CharacteristicId
from hapcore.pairing.keylog import read_key_log
from hapcore.replay import RecordingError, read
from hapcore.replay.decoded import decode_script, decode_transcript
from hapcore.replay.script import Script
from hapcore.transcript import TranscriptError, is_transcript, read_transcripts

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


@click.command(short_help="Show what was said in a capture.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--keylog", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The keys of the sessions."
)
@click.option("--accessory", "accessories", multiple=True, metavar="ID", help="Only this one: a device id or address.")
@click.option(
    "-c", "--characteristic", "ids", type=CHARACTERISTIC, multiple=True, help="Only what carries this one: 1.9"
)
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this file instead, as a page."
)
@click.option("-v", "--verbose", is_flag=True, help="Show headers, TLV items and bodies too.")
@json_option
def decode(
    file: Path,
    keylog: Path | None,
    accessories: tuple[str, ...],
    ids: tuple[CharacteristicId, ...],
    page: Path | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """Show what was said in a capture: handshakes, requests, answers and events, with their times.

    FILE is a pcap or pcapng, as tcpdump and Wireshark write it, or - for one that arrives on standard input. Sessions
    are encrypted: their keys are in a key log, which programs of this library write where the environment variable
    HAPKEYLOGFILE says so. Without keys the handshakes are shown, and sizes and times of the rest. What was not captured
    is shown as a gap.

    FILE may also be a recording that `hap replay` takes, which has its keys or needs none.

    With --html the conversation becomes one file for a browser, to look at or to attach to a bug report: it shows all
    that was said, values and bytes too. It can be filtered there.

    \b
    Example: hap decode lamp.pcapng --keylog keys.log
             HAPKEYLOGFILE=keys.log hap watch -a lamp -c 1.9
             hap decode lamp.pcapng --keylog keys.log --html lamp.html
             tcpdump -U -w - tcp | hap decode - --keylog keys.log
    """
    if page is not None and (ids or verbose or as_json):
        raise click.UsageError(
            "--html goes without -c, -v and --json: the page has everything, and filters of its own."
        )
    if page is not None and page.exists() and str(file) != "-" and page.samefile(file):
        raise click.UsageError("--html would overwrite the capture.")
    keys = None if keylog is None else _read_keys(keylog)
    wanted = _Wanted(accessories, ids)
    with click.open_file(str(file), "rb") as stream:
        source: IO[bytes] = stream
        start = source.read(4)
        if not start:
            raise Problem(f"{file} is empty")
        if not is_capture(start):
            recorded = filter(wanted, _recorded(file))
            if page is not None:
                _draw(page, file, recorded, iter(()))
            else:
                _show(recorded, as_json=as_json, verbose=verbose)
            return
        traffic, capture = Traffic(keys), Capture(source, start)
        if page is not None:
            _draw(page, file, filter(wanted, _stoppable(traffic, capture)), _remarks(traffic, capture))
            _conclude(file, traffic, capture)
            return
        _show(filter(wanted, _entries(traffic, capture)), as_json=as_json, verbose=verbose)
    _conclude(file, traffic, capture)


def _show(entries: Iterable[Entry], *, as_json: bool, verbose: bool) -> None:
    last = ""
    for entry in entries:
        if as_json:
            emit(to_json(entry, details=verbose))
        else:
            click.echo(render(entry, details=verbose, connection=entry.connection != last))
            last = entry.connection


def _recorded(file: Path) -> Iterator[Entry]:
    """What is no capture may be a recording: a transcript, or a session that others captured with its secrets."""
    wrong = Problem(f"{file} is no capture: expected pcap or pcapng, or a recording that `hap replay` takes")
    if str(file) == "-":
        raise wrong
    try:
        data = read_file(file)
        if is_transcript(data.lstrip()):
            numbers = itertools.count()
            for one in read_transcripts(data):
                yield from decode_transcript(one, numbers)
            return
        script = read(json.loads(data))
    except TranscriptError as error:
        raise Problem(f"{file} cannot be read: {error}") from None
    except (RecordingError, ValueError, RecursionError):
        raise wrong from None
    if not isinstance(script, Script):
        raise Problem(f"{file} was recorded over Bluetooth LE, which is not decoded")
    yield from decode_script(script)


def _stoppable(traffic: Traffic, capture: Capture) -> Iterator[Entry]:
    with suppress(KeyboardInterrupt):  # who listens live ends it so, and wants what was heard
        for packet in capture:
            yield from traffic.feed(*packet)
    yield from traffic.close()


def _remarks(traffic: Traffic, capture: Capture) -> Iterator[str]:
    for link, count in traffic.unknown_links.items():
        yield f"{count} packets have link type {link}, which is not understood"
    if capture.trouble is not None:
        yield f"the capture: {capture.trouble}"


def _draw(page: Path, file: Path, entries: Iterator[Entry], remarks: Iterator[str]) -> None:
    try:
        count = write_page(page, entries, file.name, remarks)
    except OSError as error:
        raise Problem(f"{page} cannot be written: {error.strerror}") from None
    click.echo(f"{page} has {count} entries and shows all that was said: look at it before you give it away")


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
