"""Which path answers what, to whom (HAP 8.4), as one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from hapcore.codec.http import Request, write_response
from hapcore.ip.accessory.session import Session

if TYPE_CHECKING:
    from hapcore.ip.accessory.server import Server

__all__ = ["CHARACTERISTICS", "ROUTES", "Access", "Handler", "Route"]

CHARACTERISTICS = "/characteristics"

Handler: TypeAlias = Callable[["Server", Session, Request], None]


class Access(Enum):
    """Who may use a path."""

    #: Everybody; the handler looks at the connection itself.
    OPEN = "open"
    #: Verified controllers only: 470 on a plain connection, 400 on a transient one.
    SECURED = "secured"


@frozen
class Route:
    """One path: its methods, who may use it, and what a plain connection is told."""

    access: Access
    methods: Mapping[str, Handler]
    refusal: bytes = b""


#: HTTP 470 with the status that Apple's own accessories put into it.
_UNAUTHORISED = write_response(470, "application/hap+json", b'{"status":-70411}')
_UNAUTHORISED_EMPTY = write_response(470)


def _routes() -> dict[str, Route]:
    from hapcore.ip.accessory import exchange, handshakes, snapshots

    def secured(refusal: bytes, **methods: Handler) -> Route:
        return Route(Access.SECURED, methods, refusal)

    return {
        "/pair-setup": Route(Access.OPEN, {"POST": handshakes.pair_setup}),
        "/pair-verify": Route(Access.OPEN, {"POST": handshakes.pair_verify}),
        "/identify": Route(Access.OPEN, {"POST": handshakes.identify}),
        "/configured": Route(Access.OPEN, {"POST": exchange.configured}),
        "/pairings": secured(_UNAUTHORISED_EMPTY, POST=handshakes.pairings),
        "/accessories": secured(_UNAUTHORISED, GET=exchange.accessories),
        CHARACTERISTICS: secured(_UNAUTHORISED, GET=exchange.read, PUT=exchange.write),
        "/prepare": secured(_UNAUTHORISED, PUT=exchange.prepare),
        "/resource": secured(_UNAUTHORISED, POST=snapshots.resource),
    }


ROUTES: Mapping[str, Route] = _routes()
