"""Where our accessory answers otherwise than the recorded one, on purpose: what, and why.

This is the only list of them. A replay fails for a difference that is not here, and for a row that does not occur.
`docs/differences.md` is written from it by tools/generate_docs.py.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Known:
    """One difference: the step of a connection of a case of a recording, what differs, and why we do otherwise."""

    recording: str
    case: str
    connection: str
    step: int
    differs: str
    why: str


EMPTY_ID = (
    "Apple's code pairs a controller with an empty identifier and a key of zeros. Nobody can prove to have that key, "
    "the pairing only takes up room: the request is malformed, 400."
)
WITHOUT_EMPTY_ID = "Follows from that: the list has one pairing less, and the table has room for one more."
CLOSED_AT_ONCE = (
    "Apple's code closes the connections of a removed controller when it next hears from them. Ours closes them at "
    "once, so that a removed controller gets no more events."
)
DIFFERENCES: tuple[Known, ...] = (
    Known(
        "ip-pair-setup",
        "method 1, up to M3",
        "c0",
        3,
        "HTTP status 200 instead of 500",
        "Pair-setup with authentication (method 1) to an accessory without coprocessor: Apple's code accepts M1 and "
        "fails at M4. Ours goes on as if method 0 had been asked for, as other accessories do, so that such "
        "controllers pair.",
    ),
    Known(
        "ip-pair-verify",
        "M1 zero key",
        "c0",
        1,
        "item PublicKey, EncryptedData missing; item Error too much",
        "An X25519 key of zeros makes a shared secret that everybody knows. Apple's code computes it and answers; ours "
        "refuses with the TLV error Authentication.",
    ),
    Known("ip-pairings", "malformed", "c0", 22, "HTTP status 400 instead of 200", EMPTY_ID),
    Known("ip-pairings", "malformed", "c0", 26, "a record missing: Identifier (empty)", WITHOUT_EMPTY_ID),
    Known(
        "ip-pairings",
        "permissions change while connected",
        "c1",
        8,
        "a record missing: Identifier (empty)",
        WITHOUT_EMPTY_ID,
    ),
    Known("ip-pairings", "fill up", "c0", 30, "item Error missing", WITHOUT_EMPTY_ID),
    Known(
        "ip-pairings",
        "fill up",
        "c0",
        32,
        "a record missing: Identifier (empty); a record too much: Identifier 6578747261203132",
        WITHOUT_EMPTY_ID,
    ),
    Known("ip-pairings", "fill up", "c0", 64, "a record missing: Identifier (empty)", WITHOUT_EMPTY_ID),
    Known(
        "ip-pairings",
        "remove another controller",
        "c1",
        5,
        "the connection is closed, in the recording it stayed open",
        CLOSED_AT_ONCE,
    ),
    Known(
        "ip-pairings",
        "remove the last admin",
        "c1",
        5,
        "the connection is closed, in the recording it stayed open",
        CLOSED_AT_ONCE,
    ),
    Known(
        "ip-read",
        "errors",
        "c0",
        72,
        "HTTP status 200 instead of 500",
        "Apple's application had room for fewer than 60 characteristics in one read; our accessory has no such limit.",
    ),
    Known(
        "edge_B0_refused_aiohomekit_x_happython",
        "edge_B0_refused_aiohomekit_x_happython",
        "c0",
        3,
        "item Error missing; item Proof too much",
        "B begins with a zero byte, and the two libraries hash it in different ways, so that the right code was "
        "refused. Our accessory takes the proof in each of the ways that occur (HAP 3.3).",
    ),
)


def page() -> str:
    """The documentation page."""
    lines = [
        "# Where our accessory answers otherwise",
        "",
        "Recorded sessions with Apple's own accessory code, and between other libraries, are replayed on our",
        "accessory: the same random draws, the same requests. Every answer means the same as the",
        "recorded one, but for these.",
        "Spelling is not compared: the order of headers and keys, chunking, numbers printed as integers. In one",
        "point of spelling we differ throughout: where metadata is asked for in a read, Apple's code closes the JSON",
        "object too early and the body is invalid; ours is valid.",
        "",
        "| Recording | Case | What differs | Why |",
        "|---|---|---|---|",
    ]
    for row in DIFFERENCES:
        case = row.case if row.case != row.recording else "(the whole session)"
        lines.append(f"| {row.recording} | {case}, {row.connection} step {row.step} | {row.differs} | {row.why} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
