"""`hap serve house.toml`: accessories that a file describes, the commands and requests behind them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import click
import trio

from hap_trio.cli.built import Built
from hap_trio.cli.house.handlers import Question, connect, keep_asking
from hap_trio.cli.house.listening import keep_listening
from hap_trio.cli.problem import Problem
from hapcore.house import Listen, read

__all__ = ["load"]

#: A thousand accessories take less; what is larger is something else.
_LARGEST = 4_000_000


def load(path: str) -> Built:
    """What a file describes, its state beside it unless it says where. Raises `Problem`, and the errors of reading."""
    file = Path(path)
    with file.open("rb") as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise Problem(f"{path}: it is larger than {_LARGEST} bytes")
    try:
        document = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise Problem(f"{path}: it is no TOML: {' '.join(str(error).split())}") from None
    house = read(document, path)
    questions = connect(house, _complain)
    return Built(
        list(house.accessories),
        name=house.name,
        state=str(file.parent / (house.state or f"{file.stem}.state.json")),
        code=house.setup_code,
        live=partial(_live, questions, house.listens),
    )


async def _live(questions: Iterable[Question], listens: Iterable[Listen]) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_asking, questions)
        nursery.start_soon(keep_listening, listens, _complain)


def _complain(text: str) -> None:
    click.echo(f"hap: {text}", err=True)
