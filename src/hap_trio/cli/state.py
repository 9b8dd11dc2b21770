"""`hap state`, `hap reset` and `hap import-state`: what an accessory keeps."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import click

from hap_sync.store import FileStore
from hap_trio.cli.common import Problem, emit, json_option
from hap_trio.cli.terminal import clean
from hap_trio.entropy import system_entropy
from hapcore.accessory.config import Config
from hapcore.accessory.stored import KEPT_AT_RESET, Stored
from hapcore.migration.states import read_state
from hapcore.state import STATE

__all__ = ["register"]

_state_option = click.option(
    "--state", "file", type=click.Path(dir_okay=False), required=True, help="The file that `hap serve --state` uses."
)


def _load(store: FileStore, file: str) -> Mapping[str, bytes]:
    if not Path(file).exists():
        raise Problem(f"{file}: there is no such file")
    return store.load()


@click.group()
def state() -> None:
    """See what an accessory keeps over restarts.

    \b
    Example: hap state show --state lamp.json
    """


@state.command(short_help="Show identity, setup code and pairings.")
@_state_option
@json_option
def show(file: str, as_json: bool) -> None:
    """Show identity, setup code and pairings; secret keys stay in the file.

    The code is shown only as long as nobody is paired: whoever reads it could not use it then.

    \b
    Example: hap state show --state lamp.json
    """
    # Its own lock: an accessory that is being served from the file may be looked at all the same.
    table = _load(FileStore(file, STATE, exclusive=False), file)
    stored = Stored(table, Config(name="state"), system_entropy)
    # What is not there is drawn when it is served: what has just been drawn here means nothing.
    device_id = stored.identity.device_id if "identity" in table else None
    setup = stored.setup if "setup" in table else None
    paired = [(one.identifier.decode(errors="replace"), one.admin) for one in stored.pairings.values()]
    code = None if paired or setup is None else setup.code.text
    if as_json:
        emit(
            {
                "device_id": device_id,
                "setup_code": code,
                "setup_id": setup and setup.setup_id,
                "config_number": stored.config_number,
                "failed_attempts": stored.attempts,
                "locked": stored.locked,
                "pairings": [{"identifier": name, "admin": admin} for name, admin in paired],
            }
        )
        return
    new = "drawn when it is served"
    click.echo(f"Device id             {device_id or new}")
    click.echo(f"Setup code            {code or (new if setup is None else 'hidden, because it is paired')}")
    click.echo(f"Setup id              {setup.setup_id if setup else new}")
    click.echo(f"Configuration number  {stored.config_number}")
    locked = " (pairing is locked: `hap reset --attempts` opens it)" if stored.locked else ""
    click.echo(f"Failed attempts       {stored.attempts}{locked}")
    click.echo(f"Pairings              {len(paired)}")
    for name, admin in paired:
        click.echo(f"  {clean(name)}  {'admin' if admin else 'user'}")


@click.command(short_help="Back to the factory, wholly or in part.")
@_state_option
@click.option("--pairings", "only_pairings", is_flag=True, help="Forget who is paired, but stay the same accessory.")
@click.option("--attempts", is_flag=True, help="Forget nothing but the wrong setup codes that were tried.")
@click.option("--everything", is_flag=True, help="Forget also setup code and numbers: a new accessory altogether.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
def reset(file: str, only_pairings: bool, attempts: bool, everything: bool, yes: bool, as_json: bool) -> None:
    """Back to the factory: nobody is paired, and it has a new identity.

    The setup code stays, because it may stand on a label, and so do the numbers of things. The accessory must not be
    running.

    When 100 wrong codes have locked pairing, --attempts is the gentle way out: it forgets them and nothing else. Ask
    yourself first who has tried them; with --everything the accessory also gets another code.

    \b
    Example: hap reset --state lamp.json
             hap reset --attempts --state lamp.json
    """
    if only_pairings + attempts + everything > 1:
        raise click.UsageError("--pairings, --attempts and --everything exclude each other.")
    with closing(FileStore(file, STATE)) as store:
        table = _load(store, file)
        if not (yes or attempts):
            click.confirm(f"Reset {file}? Its controllers have to pair it again.", abort=True, err=True)
        kept = KEPT_AT_RESET["pairings" if only_pairings else "everything" if everything else "identity"]
        if attempts:
            kept = frozenset(table) - {"attempts"}
        store.replace({key: value for key, value in table.items() if key in kept})
    if as_json:
        emit({"event": "reset", "state": file})
    else:
        click.echo(f"{file} is reset.")


@click.command("import-state", short_help="Go on as an accessory of another library.")
@click.argument("source", type=click.Path(exists=True, dir_okay=False))
@click.option("--identifiers", type=click.Path(exists=True, dir_okay=False), help="HAP-NodeJS's IdentifierCache file.")
@_state_option
@json_option
def import_state(source: str, identifiers: str | None, file: str, as_json: bool) -> None:
    """Go on with the identity and the pairings of another accessory library.

    Reads HAP-python's state file, HAP-NodeJS's AccessoryInfo.*.json and homekit_python's accessory configuration.
    Stop the old program for good before serving from the new file: two accessories with one identity get in each
    other's way.

    \b
    Example: hap import-state accessory.state --state lamp.json
    """
    cache = None if identifiers is None else Path(identifiers).read_bytes()
    moved = read_state(Path(source).read_bytes(), system_entropy, file_name=Path(source).name, identifiers=cache)
    if Path(file).exists():
        raise Problem(f"{file} is there already; choose another name")
    with closing(FileStore(file, STATE)) as store:
        store.replace(moved.table)
    if as_json:
        emit(
            {"event": "imported", "from": moved.origin.value, "device_id": moved.device_id, "pairings": moved.pairings}
        )
        return
    click.echo(f"Took over {moved.device_id} from {moved.origin.value}, paired with {moved.pairings}.")
    if moved.setup_code is None:
        click.echo("Its setup code is not in the file: `hap serve` draws a new one, or takes it with --setup-code.")


def register(group: click.Group) -> None:
    """Add the commands."""
    group.add_command(state)
    group.add_command(reset)
    group.add_command(import_state)
