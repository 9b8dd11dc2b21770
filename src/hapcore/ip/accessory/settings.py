"""How to serve, in the words users know: the same for all adapters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypedDict

from hapcore.accessory.config import ANSWER_DEADLINE, IDLE_SECONDS, MAX_CONNECTIONS, Config, ShowCode, WhenFull
from hapcore.engine import Forget, Output, Persist
from hapcore.entropy import Entropy
from hapcore.ids import Caller
from hapcore.ip.accessory.listening import KeepAlive, is_unspecified
from hapcore.ip.accessory.server import Server
from hapcore.ip.drive import Table
from hapcore.model.accessory import Accessory, IdentifyFn
from hapcore.model.database import Database, headed
from hapcore.model.service import Service
from hapcore.setup_code import SetupCode

__all__ = ["Served", "Settings", "announced_at", "connect_identify", "make_server", "store_first"]

#: What can be served: an accessory, a service to make one of, or several, which get a bridge at their head; or a
#: database, which is served as it is.
Served: TypeAlias = Accessory | Service | Iterable[Accessory | Service] | Database


class _Path(Protocol):
    def __fspath__(self) -> str: ...


class Settings(TypedDict, total=False):
    """How to serve. Everything has a default.

    - `state`: the file that keeps identity and pairings. Without one every start makes a new, unpaired device.
    - `name`, `category`: how the accessory announces itself; those of the first accessory.
    - `setup_code`: "XXX-XX-XXX"; drawn once and kept. `setup_id`: four characters 0-9 A-Z; the same.
    - `show_code`: in its place, for accessories with a display: called with a fresh code ("031-45-154") when somebody
      begins to pair, and with None when that is over. Sync or async (`hap_sync`: sync).
    - `answer_deadline`: seconds that getters, setters and cameras have before the controller is told -70408; 9. With
      10 and more controllers have given up before.
    - `address`: where to listen: an IP address of ours, the name of an interface ("eth0", with whatever addresses it
      has and gets; Linux only), or several of these; everywhere, by IPv4 and IPv6. No other address is announced.
    - `port`: any free one.
    - `max_connections`: 256. `idle_seconds`: when all are in use, the connection that has been silent longest makes
      room for a new one if that is more than 60 s (None: none does). `when_full`: what becomes of the new one
      otherwise, "refuse", or "wait" as with Apple's own accessory code. See `Config`.
    - `keepalive`: a `KeepAlive` to have controllers noticed that vanished without a word; none, as HAP asks.
    - `entropy`: where random bytes come from; the operating system.
    - `engine`: what makes the engine, called like `Server`; one that is recorded, for example.
    """

    state: str | _Path | None
    name: str | None
    category: int | None
    setup_code: str | None
    setup_id: str | None
    show_code: ShowCode | None
    answer_deadline: float
    address: str | Sequence[str] | None
    port: int
    max_connections: int
    idle_seconds: float | None
    when_full: WhenFull | str
    keepalive: KeepAlive | None
    entropy: Entropy
    engine: Callable[..., Server]


def make_server(what: Served, settings: Settings, state: Mapping[str, bytes], entropy: Entropy) -> Server:
    """The engine for `what`; `state` is the table of the store, `entropy` what counts if `settings` has none.

    Raises `LocalProtocolError` for an accessory or a setup code that HAP does not allow, `StateError` for the state.
    """
    name, category, code = settings.get("name"), settings.get("category"), settings.get("setup_code")
    accessories = what.accessories if isinstance(what, Database) else headed(what, name=name, category=category)
    head = accessories[0]
    config = Config(
        name=name or head.name,
        category=category or head.category,
        setup_code=None if code is None else SetupCode(code),
        setup_id=settings.get("setup_id"),
        display=settings.get("show_code") or False,
        answer_deadline=settings.get("answer_deadline", ANSWER_DEADLINE),
        max_connections=settings.get("max_connections", MAX_CONNECTIONS),
        idle_seconds=settings.get("idle_seconds", IDLE_SECONDS),
        when_full=WhenFull(settings.get("when_full", WhenFull.REFUSE)),
    )
    connect_identify(accessories)
    make = settings.get("engine", Server)
    # What is no database yet becomes one with the numbers that the state has for it.
    served = what if isinstance(what, Database) else accessories
    return make(served, config=config, state=state, entropy=settings.get("entropy", entropy))


def store_first(engine: Server, table: Table) -> list[Output]:
    """Have a new engine's identity stored; returns what else it said so far.

    Raises what the table raises: nobody should pair what will not be known again.
    """
    told: list[Output] = []
    while (output := engine.poll()) is not None:
        if isinstance(output, Persist):
            table.persist(output.key, output.value)
        elif isinstance(output, Forget):
            table.forget(output.key)
        else:
            told.append(output)
    return told


def announced_at(settings: Settings) -> list[str]:
    """What to announce, addresses and names of interfaces: only where it listens. Empty stands for all."""
    address = settings.get("address")
    wanted = [] if address is None else [address] if isinstance(address, str) else [*address]
    return [] if any(is_unspecified(one) for one in wanted) else wanted


def connect_identify(accessories: Iterable[Accessory]) -> None:
    """Have a write of Identify by a paired controller call what the application gave for it."""
    for accessory in accessories:
        if (identify := accessory.identify_fn) is not None:
            accessory.identify_characteristic.setter(_without_arguments(identify))


def _without_arguments(identify: IdentifyFn) -> Callable[[bool, Caller], Awaitable[object] | object]:
    """The setter of Identify, for paired controllers; the others ask with `IdentifyRequested`."""
    return lambda _value, _caller: identify()
