"""The query of GET /characteristics (HAP 8.7)."""

from __future__ import annotations

from functools import lru_cache

from attrs import Factory, field, frozen

from hapcore.ids import CharacteristicId

__all__ = ["Query", "QueryError", "parse"]

_MAX_ID = 2**64 - 1
# A 64-bit number has 20 digits; leading zeros are legal, so a little room, but not without end.
_MAX_DIGITS = 40
# Controllers ask the same few things again and again. Long queries are rare and not worth the memory.
_MAX_REMEMBERED = 512


class QueryError(ValueError):
    """The query is malformed: the request is answered with 400."""


@frozen
class Query:
    """What is asked: ids in the order of the request, and which metadata to send along."""

    ids: tuple[CharacteristicId, ...]
    meta: bool = False
    perms: bool = False
    type: bool = False
    ev: bool = False
    #: Only values are wanted, as controllers ask it all day.
    plain: bool = field(init=False, default=Factory(lambda self: _plain(self), takes_self=True))


def _plain(query: Query) -> bool:
    return not (query.meta or query.perms or query.type or query.ev)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise QueryError(text)
    number = int(text)
    if number > _MAX_ID:
        raise QueryError(text)
    return number


def parse(text: str) -> Query:
    """Parse the part after `?`; a `#` ends it, an unknown parameter or a flag other than 0 or 1 is an error."""
    return _remembered(text) if len(text) <= _MAX_REMEMBERED else _parse(text)


def _parse(text: str) -> Query:
    text = text.partition("#")[0]
    ids: list[CharacteristicId] = []
    flags = {"meta": False, "perms": False, "type": False, "ev": False}
    for parameter in text.split("&") if text else ():
        name, equals, value = parameter.partition("=")
        if not equals:
            raise QueryError(parameter)
        if name == "id":
            for pair in value.split(",") if value else ():
                aid, dot, iid = pair.partition(".")
                if not dot:
                    raise QueryError(pair)
                ids.append(CharacteristicId(_number(aid), _number(iid)))
        elif name in flags and value in {"0", "1"}:
            flags[name] = value == "1"
        else:
            raise QueryError(parameter)
    return Query(tuple(ids), **flags)


_remembered = lru_cache(maxsize=128)(_parse)
