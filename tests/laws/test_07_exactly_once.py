"""Law 7: every accepted command completes exactly once, whatever happens and whenever."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.accessory_rig import Draws, Lamp, Rig

from hapcore.engine import CloseConnection, Done, Failed, Reply, SendBytes
from hapcore.errors import HapError, LocalProtocolError
from hapcore.ip.accessory import AnswerRead, AnswerWrite, ReplaceDatabase, RequestId, Shutdown, UpdateValues
from hapcore.ip.controller import (
    CharacteristicWrite,
    Close,
    Connection,
    GetAccessories,
    ListPairings,
    Read,
    RemovePairing,
    Subscribe,
    VerifyPairing,
    Write,
)

COMMANDS = [
    GetAccessories(),
    Read([(1, 10), (1, 99)]),
    Write([CharacteristicWrite((1, 10), True)]),
    Write([CharacteristicWrite((1, 13), True)], timed_ms=1000),
    Subscribe([(1, 10), (1, 11)]),
    ListPairings(),
    RemovePairing(b"nobody"),
]
STEPS = st.lists(
    st.sampled_from(["carry", "cut", "eof", "late", "garbage", "close", *range(len(COMMANDS))]), max_size=14
)


@settings(max_examples=120, deadline=None)
@given(steps=STEPS, verified=st.booleans())
def test_controller(steps: list, verified: bool) -> None:
    rig = Rig()
    line = rig.line()
    engine = Connection("127.0.0.1", entropy=Draws("controller"))
    accepted: list = []
    replies: Counter = Counter()
    sent: list[bytes] = []
    now = 0.0

    def submit(command: object) -> None:
        with suppress(LocalProtocolError):
            accepted.append(engine.submit(command, now))

    def drain() -> None:
        while (output := engine.poll()) is not None:
            if isinstance(output, Reply):
                replies[output.command] += 1
                assert isinstance(output, Done) or isinstance(output.error, HapError)
            elif isinstance(output, SendBytes):
                sent.append(output.data)

    def carry() -> None:
        """To the accessory and back until nothing moves."""
        while sent:
            data = sent.pop(0)
            before = len(line.raw)
            rig.server.receive_data(line.connection, data, rig.now)
            while (output := rig.server.poll()) is not None:
                if isinstance(output, SendBytes):
                    engine.receive_data(output.data, now)
                elif isinstance(output, CloseConnection):
                    engine.receive_eof(now)
            assert len(line.raw) == before
            drain()

    submit(VerifyPairing(rig.pairing()))
    drain()
    if verified:
        carry()
    for step in steps:
        now += 0.1
        if step == "carry":
            carry()
        elif step == "cut":
            sent.clear()
        elif step == "eof":
            engine.receive_eof(now)
        elif step == "late":
            now = max(now, engine.next_timeout() or now)
            engine.handle_timeout(now)
        elif step == "garbage":
            engine.receive_data(b"HTTP/1.1 what\r\n", now)
        elif step == "close":
            submit(Close())
        else:
            submit(COMMANDS[step])
        drain()
    engine.receive_eof(now)
    drain()
    assert replies == Counter(accepted)
    assert engine.next_timeout() is None


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.sampled_from(
            [
                UpdateValues({(1, 10): True}),
                UpdateValues({(1, 11): 1000}),
                AnswerWrite(RequestId(1)),
                AnswerRead(RequestId(1), {}),
                Shutdown(),
                "replace",
            ]
        ),
        max_size=8,
    )
)
def test_accessory(steps: list) -> None:
    rig = Rig()
    rig.session()
    accepted = []
    for step in steps:
        command = ReplaceDatabase([Lamp().accessory]) if step == "replace" else step
        try:
            accepted.append(rig.server.submit(command, rig.now))
        except LocalProtocolError:
            assert command == UpdateValues({(1, 11): 1000})
        rig.drain()
    replies = [one.command for one in rig.outputs if isinstance(one, Done | Failed)]
    assert replies == accepted
