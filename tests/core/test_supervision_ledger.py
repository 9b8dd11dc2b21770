"""What is followed of a database, what is asked, and who is told what."""

from __future__ import annotations

from typing import Any

from hapcore.engine import Output
from hapcore.errors import Disconnected, PairingRefused
from hapcore.home import Available, DatabaseChanged, Gap, News, Source, Supervise, Unavailable, ValueChanged
from hapcore.home.supervision.ledger import Ledger, is_forgotten
from hapcore.ids import CharacteristicId
from hapcore.model.remote import AccessoryDescription, read_accessories

#: iid -> type, format, permissions.
LIGHT = {
    9: ("25", "bool", "pr pw ev"),
    10: ("8", "int", "pr pw ev"),
    11: ("23", "string", "pr"),  # a name
    12: ("8000", "uint8", "pr"),  # does not say when it changes
    13: ("8001", "tlv8", "pr"),
    14: ("73", "uint8", "pr ev"),  # a button
    15: ("8002", "uint8", "pw"),
    16: ("8003", "uint8", "ev"),
}


def database(rows: dict[int, tuple[str, str, str]], **more: Any) -> tuple[AccessoryDescription, ...]:
    light = [
        {"iid": iid, "type": kind, "format": form, "perms": perms.split()} for iid, (kind, form, perms) in rows.items()
    ]
    light[0].update(more)
    information = [{"iid": 2, "type": "30", "format": "string", "perms": ["pr"]}]
    services = [
        {"iid": 1, "type": "3E", "characteristics": information},
        {"iid": 8, "type": "43", "characteristics": light},
    ]
    return read_accessories({"accessories": [{"aid": 1, "services": services}]})


class Book:
    """A ledger and what it tells."""

    def __init__(self, **options: Any) -> None:
        self.told: list[Any] = []
        self.ledger = Ledger("lamp", self._tell)
        self.ledger.join(Supervise("reader", **options), settled=False)

    def _tell(self, output: Output) -> None:
        assert isinstance(output, News)
        self.told.append((output.to, output.item))

    def join(self, to: str, **options: Any) -> bool:
        return self.ledger.join(Supervise(to, **options), settled=True)

    def items(self, to: str = "reader") -> list[Any]:
        return [item for who, item in self.told if who == to]


def iids(ids: tuple[CharacteristicId, ...]) -> list[int]:
    return [one.iid for one in ids]


def test_what_is_followed_and_what_is_asked() -> None:
    ledger = Book().ledger
    ledger.learn(database(LIGHT))
    assert iids(ledger.events) == [9, 10, 14, 16]
    assert iids(ledger.polls) == [12]
    assert iids(ledger.reads) == [9, 10, 12]
    named = Book(ids=[(1, 2), (1, 13), (1, 15), (1, 10)]).ledger
    named.learn(database(LIGHT))
    assert (iids(named.events), iids(named.polls), iids(named.reads)) == ([10], [2, 13], [2, 10, 13])


def test_what_refuses_events_is_asked_as_long_as_it_does() -> None:
    book = Book()
    ledger = book.ledger
    ledger.learn(database(LIGHT))
    ledger.demote([CharacteristicId(1, 10), CharacteristicId(1, 16)])  # which cannot be read either
    assert (iids(ledger.events), iids(ledger.polls)) == ([9, 14], [10, 12])
    assert not book.join("other")
    ledger.leave("other")
    assert iids(ledger.polls) == [10, 12]
    ledger.forgive()
    assert (iids(ledger.events), iids(ledger.polls)) == ([9, 10, 14, 16], [12])


def test_another_database() -> None:
    book = Book()
    book.ledger.learn(database(LIGHT))
    first = book.items()[-1]
    assert isinstance(first, DatabaseChanged)
    assert len(first.added) == 9
    book.ledger.learn(database(LIGHT, value=True, ev=True))
    assert book.items()[-1] is first  # values are no part of it
    book.ledger.learn(database(LIGHT, minValue=1))
    assert book.items()[-1] is first  # no limit of a bool
    book.ledger.learn(database(LIGHT, description="On"))
    second = book.items()[-1]
    assert second is not first
    assert not second.added | second.removed
    book.ledger.note(CharacteristicId(1, 10), 5, Source.READ)
    other = {**LIGHT, 10: ("13", "float", "pr pw ev"), 17: ("1F", "string", "pr")}
    del other[16]
    book.ledger.learn(database(other))
    third = book.items()[-1]
    assert third.added == {(1, 10), (1, 17)}
    assert third.removed == {(1, 10), (1, 16)}
    book.join("later")
    assert not [item for item in book.items("later") if isinstance(item, ValueChanged)]


def test_values() -> None:
    book = Book(ids=[(1, 9), (1, 14)])
    book.ledger.learn(database(LIGHT))
    on, button = CharacteristicId(1, 9), CharacteristicId(1, 14)
    del book.told[:]
    for source in (Source.READ, Source.POLL, Source.EVENT):
        book.ledger.note(on, True, source)
        book.ledger.note(button, 0, source)
        book.ledger.note(CharacteristicId(1, 10), 7, source)
    assert [(item.id, item.source) for item in book.items()] == [
        (on, Source.READ),
        (on, Source.EVENT),
        (button, Source.EVENT),
    ]


def test_a_value_says_what_it_is_a_value_of() -> None:
    book = Book()
    book.ledger.learn(database(LIGHT))
    book.ledger.note(CharacteristicId(1, 9), True, Source.EVENT)
    book.ledger.note(CharacteristicId(1, 99), 5, Source.EVENT)
    book.ledger.note(CharacteristicId(2, 9), True, Source.EVENT)
    (begun, changed) = book.items()
    assert begun.device.lightbulb.on == changed.id == CharacteristicId(1, 9), "and nothing of what it does not have"
    assert (changed.id.name, changed.id.text(True)) == ("On", "true")
    book.join("later")
    assert book.items("later")[1].id.name == "On"


def test_availability_is_said_in_turn() -> None:
    book = Book()
    ledger = book.ledger
    gone, removed = Disconnected("gone"), PairingRefused("who are you?", error=2, step=4)
    assert is_forgotten(removed)
    assert not is_forgotten(PairingRefused("busy", error=7, step=2))
    ledger.gap(0.0, 1.0)
    ledger.available()
    ledger.available()
    ledger.unavailable(gone)
    ledger.unavailable(Disconnected("still gone"))
    ledger.unavailable(removed)
    ledger.unavailable(removed)
    ledger.unavailable(gone)
    ledger.gap(2.0, 3.0)
    ledger.available()
    assert book.items() == [
        Available("lamp"),
        Unavailable("lamp", gone),
        Unavailable("lamp", removed),
        Gap("lamp", 2.0, 3.0),
        Available("lamp"),
    ]
