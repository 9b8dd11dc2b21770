"""Adding, removing and listing pairings (HAP 6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.pairing_kit import outcome

from hapcore.codec import tlv8
from hapcore.errors import LocalProtocolError, PairingRefused, RemoteProtocolError
from hapcore.pairing import pairings
from hapcore.pairing.items import Item
from hapcore.pairing.pairings import MAX_PEERS, PairingsStep, handle
from hapcore.pairing.records import PairedController, PairingEntry

KEYS = [bytes((number,)) * 32 for number in range(1, 40)]
ADMIN = PairedController(b"admin", KEYS[0], admin=True)
OTHER = PairedController(b"other admin", KEYS[1], admin=True)
USER = PairedController(b"user", KEYS[2], admin=False)


class Table:
    """The accessory's pairings, kept as the steps say."""

    def __init__(self, *entries: PairedController) -> None:
        self.entries = {entry.identifier: entry for entry in entries}

    def ask(self, body: bytes, caller: PairedController = ADMIN, **options: int) -> PairingsStep:
        before = dict(self.entries)
        step = handle(body, caller=caller, table=self.entries, **options)
        assert self.entries == before
        for entry in step.store:
            self.entries[entry.identifier] = entry
        for identifier in step.remove:
            del self.entries[identifier]
        return step

    def tried(self, body: bytes, caller: PairedController = ADMIN) -> object:
        return outcome(self.ask(body, caller).reply)

    def listed(self, caller: PairedController = ADMIN) -> tuple[PairingEntry, ...]:
        reply = self.ask(pairings.encode_list(), caller).reply
        assert reply is not None
        return pairings.decode_list(reply)


def entry_of(paired: PairedController) -> PairingEntry:
    return PairingEntry(paired.identifier, paired.ltpk, paired.admin)


def test_requests_byte_for_byte() -> None:
    assert pairings.encode_list() == bytes.fromhex("060101 000105")
    assert pairings.encode_remove(b"abc") == bytes.fromhex("060101 000104 0103616263")
    added = bytes.fromhex("060101 000103 0103616263 0320") + KEYS[0]
    assert pairings.encode_add(b"abc", KEYS[0], admin=True) == added + bytes.fromhex("0b0101")
    assert pairings.encode_add(b"abc", KEYS[0], admin=False) == added + bytes.fromhex("0b0100")


def test_add_list_remove() -> None:
    table = Table(ADMIN)
    step = table.ask(pairings.encode_add(b"user", KEYS[2], admin=False))
    assert step == PairingsStep(b"\x06\x01\x02", store=(USER,))
    assert table.listed() == (entry_of(ADMIN), entry_of(USER))
    step = table.ask(pairings.encode_remove(b"user"))
    assert step == PairingsStep(b"\x06\x01\x02", remove=(b"user",))
    pairings.decode_done(b"\x06\x01\x02")
    assert table.listed() == (entry_of(ADMIN),)


def test_list_byte_for_byte() -> None:
    table = Table(
        PairedController(b"AAA", KEYS[0], admin=True),
        PairedController(b"BBB", KEYS[1], admin=False),
    )
    caller = table.entries[b"AAA"]
    reply = table.ask(pairings.encode_list(), caller).reply
    head, tail = bytes.fromhex("060102 0103414141 0320"), bytes.fromhex("0b0101 ff00 0103424242 0320")
    assert reply == head + KEYS[0] + tail + KEYS[1] + bytes.fromhex("0b0100")


def test_change_permissions() -> None:
    table = Table(ADMIN, USER)
    raised = PairedController(USER.identifier, USER.ltpk, admin=True)
    assert table.ask(pairings.encode_add(b"user", KEYS[2], admin=True)).store == (raised,)
    assert table.ask(pairings.encode_add(b"user", KEYS[2], admin=True)) == PairingsStep(b"\x06\x01\x02")
    assert table.ask(pairings.encode_add(b"user", KEYS[2], admin=False)).store == (USER,)


@pytest.mark.parametrize("key", [KEYS[3], bytes(32)])
def test_known_id_with_another_key(key: bytes) -> None:
    table = Table(ADMIN, USER)
    body = tlv8.encode(
        [(0x06, b"\x01"), (0x00, b"\x03"), (0x01, b"user"), (0x03, key), (0x0B, b"\x00")],
    )
    assert table.tried(body) == (2, 1)
    assert table.listed() == (entry_of(ADMIN), entry_of(USER))


def test_full() -> None:
    table = Table(ADMIN)
    for number in range(1, MAX_PEERS):
        assert table.tried(pairings.encode_add(b"%d" % number, KEYS[number], admin=False)) == 2
    assert len(table.entries) == 16
    assert table.tried(pairings.encode_add(b"one more", KEYS[20], admin=False)) == (2, 4)
    # Who is there already may be changed.
    assert table.tried(pairings.encode_add(b"1", KEYS[1], admin=True)) == 2
    assert table.tried(pairings.encode_remove(b"2")) == 2
    assert table.tried(pairings.encode_add(b"one more", KEYS[20], admin=False)) == 2


def test_room_can_be_chosen() -> None:
    table = Table(ADMIN)
    body = pairings.encode_add(b"user", KEYS[2], admin=False)
    assert outcome(table.ask(body, max_peers=1).reply) == (2, 4)
    assert outcome(table.ask(body, max_peers=2).reply) == 2


@pytest.mark.parametrize(
    "body",
    [
        pairings.encode_list(),
        pairings.encode_add(b"new", KEYS[5], admin=True),
        pairings.encode_add(b"user", KEYS[2], admin=True),
        pairings.encode_remove(b"admin"),
        pairings.encode_remove(b"user"),
    ],
)
def test_only_admins(body: bytes) -> None:
    table = Table(ADMIN, USER)
    for caller in (USER, PairedController(b"removed meanwhile", KEYS[9], admin=True)):
        assert table.ask(body, caller) == PairingsStep(b"\x06\x01\x02\x07\x01\x02")


def test_permissions_are_those_of_the_moment() -> None:
    table = Table(ADMIN, USER)
    assert table.tried(pairings.encode_list(), USER) == (2, 2)
    table.ask(pairings.encode_add(b"user", KEYS[2], admin=True))
    assert table.tried(pairings.encode_list(), USER) == 2
    table.ask(pairings.encode_add(b"user", KEYS[2], admin=False))
    assert table.tried(pairings.encode_list(), USER) == (2, 2)


def test_removing_who_is_not_there() -> None:
    assert Table(ADMIN).ask(pairings.encode_remove(b"nobody")) == PairingsStep(b"\x06\x01\x02")


def test_last_admin_removes_everybody() -> None:
    table = Table(ADMIN, USER, OTHER)
    assert table.ask(pairings.encode_remove(b"other admin")).remove == (b"other admin",)
    assert table.ask(pairings.encode_remove(b"admin")) == PairingsStep(b"\x06\x01\x02", remove=(b"admin", b"user"))
    assert table.entries == {}


def test_admin_removes_itself_while_there_is_another() -> None:
    table = Table(ADMIN, USER, OTHER)
    assert table.ask(pairings.encode_remove(b"admin")) == PairingsStep(b"\x06\x01\x02", remove=(b"admin",))


def test_admin_lowers_another() -> None:
    table = Table(ADMIN, OTHER)
    lowered = PairedController(OTHER.identifier, OTHER.ltpk, admin=False)
    assert table.ask(pairings.encode_add(b"other admin", KEYS[1], admin=False)) == PairingsStep(
        b"\x06\x01\x02", store=(lowered,)
    )


def test_admin_lowers_itself() -> None:
    """Done, and answered to somebody who is no admin any more."""
    table = Table(ADMIN, OTHER)
    lowered = PairedController(ADMIN.identifier, ADMIN.ltpk, admin=False)
    step = table.ask(pairings.encode_add(b"admin", KEYS[0], admin=False))
    assert step == PairingsStep(b"\x06\x01\x02\x07\x01\x02", store=(lowered,))
    assert table.tried(pairings.encode_list()) == (2, 2)


def test_last_admin_lowers_itself_and_everybody_goes() -> None:
    table = Table(ADMIN, USER)
    assert table.ask(pairings.encode_add(b"admin", KEYS[0], admin=False)).remove == (b"admin", b"user")


def request(*items: tuple[int, bytes]) -> bytes:
    return tlv8.encode([(Item.STATE, b"\x01"), *items])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x06\x01", id="cut"),
        pytest.param(b"\x06\x01\x01", id="no method"),
        pytest.param(b"\x00\x01\x05", id="no state"),
        pytest.param(b"\x06\x01\x02\x00\x01\x05", id="state 2"),
        pytest.param(b"\x06\x01\x01\x06\x01\x01\x00\x01\x05", id="state twice"),
        pytest.param(request((0, b"\x09")), id="method 9"),
        pytest.param(request((0, b"\x00")), id="method 0"),
        pytest.param(request((0, b"\x05\x00")), id="method of two bytes"),
        pytest.param(request((0, b"\x03")), id="add nothing"),
        pytest.param(request((0, b"\x04")), id="remove nothing"),
        pytest.param(request((0, b"\x04"), (1, b"")), id="remove an empty id"),
        pytest.param(request((0, b"\x04"), (1, b"x" * 37)), id="remove a long id"),
        pytest.param(request((0, b"\x03"), (1, b"x" * 37), (3, KEYS[0]), (11, b"\0")), id="add a long id"),
        pytest.param(request((0, b"\x03"), (1, b""), (3, KEYS[0]), (11, b"\0")), id="add an empty id"),
        pytest.param(request((0, b"\x03"), (1, b"x"), (3, KEYS[0][1:]), (11, b"\0")), id="add a short key"),
        pytest.param(request((0, b"\x03"), (1, b"x"), (3, bytes(32)), (11, b"\0")), id="add a key of zeros"),
        pytest.param(request((0, b"\x03"), (1, b"x"), (3, KEYS[0])), id="add without permissions"),
        pytest.param(request((0, b"\x03"), (1, b"x"), (3, KEYS[0]), (11, b"\2")), id="permissions 2"),
        pytest.param(request((0, b"\x03"), (1, b"x"), (3, KEYS[0]), (11, bytes(4))), id="permissions of four bytes"),
        pytest.param(request((0, b"\x03"), (1, b"x"), (3, KEYS[0]), (11, b"")), id="empty permissions"),
    ],
)
def test_malformed(body: bytes) -> None:
    assert Table(ADMIN).ask(body) == PairingsStep(None)


def test_any_order_and_unknown_items() -> None:
    items = reversed(tlv8.decode(pairings.encode_add(b"user", KEYS[2], admin=False)))
    assert Table(ADMIN).ask(tlv8.encode([(0x42, b"x"), *items])).store == (USER,)


@given(st.binary(max_size=200), st.sampled_from([ADMIN, USER]))
def test_any_bytes(body: bytes, caller: PairedController) -> None:
    assert isinstance(Table(ADMIN, USER).ask(body, caller), PairingsStep)


@given(
    st.dictionaries(st.sampled_from(list(Item)), st.binary(max_size=40)),
    st.sampled_from([3, 4, 5]),
    st.sampled_from([ADMIN, USER]),
)
def test_any_items(items: dict[Item, bytes], method: int, caller: PairedController) -> None:
    body = tlv8.encode({**items, Item.STATE: b"\x01", Item.METHOD: bytes((method,))}.items())
    table = Table(ADMIN, USER)
    table.ask(body, caller)
    # Nobody but an admin changes anything, and there is an admin or nobody at all.
    if caller is USER:
        assert list(table.entries.values()) == [ADMIN, USER]
    assert not table.entries or any(entry.admin for entry in table.entries.values())


@pytest.mark.parametrize("identifier", [b"", b"x" * 37])
def test_own_mistakes_with_identifiers(identifier: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        pairings.encode_add(identifier, KEYS[0], admin=True)
    with pytest.raises(LocalProtocolError):
        pairings.encode_remove(identifier)


@pytest.mark.parametrize("key", [b"", bytes(32), KEYS[0][1:]])
def test_own_mistakes_with_keys(key: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        pairings.encode_add(b"user", key, admin=True)


@pytest.mark.parametrize("error", [1, 2, 4])
def test_refused(error: int) -> None:
    body = b"\x06\x01\x02\x07\x01" + bytes((error,))
    for read in (pairings.decode_done, pairings.decode_list):
        with pytest.raises(PairingRefused) as caught:
            read(body)
        assert (caught.value.error, caught.value.step) == (error, 2)


@pytest.mark.parametrize("body", [b"\x06\x01\x01", b"\x06"])
def test_no_answer_at_all(body: bytes) -> None:
    for read in (pairings.decode_done, pairings.decode_list):
        with pytest.raises(RemoteProtocolError):
            read(body)


def listed(*records: dict[int, bytes], separator: bool) -> bytes:
    items: tlv8.Items = [(Item.STATE, b"\x02")]
    for number, record in enumerate(records):
        if number and separator:
            items.append((Item.SEPARATOR, b""))
        items += record.items()
    return tlv8.encode(items)


A_RECORD = {0x01: b"A", 0x03: KEYS[0], 0x0B: b"\x01"}
B_RECORD = {0x01: b"B", 0x03: KEYS[1], 0x0B: b"\x00"}


@pytest.mark.parametrize("separator", [True, False])
def test_lists_with_and_without_separators(separator: bool) -> None:
    body = listed(A_RECORD, B_RECORD, separator=separator)
    assert pairings.decode_list(body) == (
        PairingEntry(b"A", KEYS[0], admin=True),
        PairingEntry(b"B", KEYS[1], admin=False),
    )


def test_odd_lists() -> None:
    assert pairings.decode_list(b"\x06\x01\x02") == ()
    assert pairings.decode_list(b"\x06\x01\x02\xff\x00\xff\x00") == ()
    without_state = listed(A_RECORD, separator=True)[3:]
    assert pairings.decode_list(without_state) == (PairingEntry(b"A", KEYS[0], admin=True),)
    without_permissions = listed({0x01: b"A", 0x03: KEYS[0]}, B_RECORD, separator=True)
    assert [entry.admin for entry in pairings.decode_list(without_permissions)] == [False, False]
    # A separator too many, one at the end, items in another order.
    turned = dict(reversed(A_RECORD.items()))
    body = listed(turned, {}, B_RECORD, {}, separator=True)
    assert [entry.identifier for entry in pairings.decode_list(body)] == [b"A", b"B"]


def test_listed_without_a_key() -> None:
    for record in ({0x01: b"A", 0x0B: b"\x01"}, {0x01: b"A", 0x03: KEYS[0][1:], 0x0B: b"\x01"}):
        with pytest.raises(RemoteProtocolError):
            pairings.decode_list(listed(record, separator=True))


@given(st.binary(max_size=200))
def test_controller_takes_any_bytes(body: bytes) -> None:
    for read in (pairings.decode_done, pairings.decode_list):
        try:
            read(body)
        except (PairingRefused, RemoteProtocolError):
            continue
