"""Where our accessory answers otherwise than the recorded one, on purpose: what, and why.

This is the only list of them. A replay fails for a difference that is not here, and for a row that does not occur.
`docs/differences.md` is written from it by tools/generate_docs.py.
"""

from __future__ import annotations

from attrs import frozen

from hapcore.replay.known import DELIBERATE

_WHY = {rule.name: rule.why for rule in DELIBERATE}


@frozen
class Known:
    """One difference: the step of a connection of a case of a recording, what differs, and the rule that covers it."""

    recording: str
    case: str
    connection: str
    step: int
    differs: str
    rule: str

    @property
    def why(self) -> str:
        """Why we do otherwise."""
        return _WHY[self.rule]


DIFFERENCES: tuple[Known, ...] = (
    Known("ip-pair-setup", "method 1, up to M3", "c0", 3, "HTTP status 200 instead of 500", "method-1"),
    Known(
        "ip-pair-verify",
        "M1 zero key",
        "c0",
        1,
        "item PublicKey, EncryptedData missing; item Error too much",
        "zero-key",
    ),
    Known("ip-pairings", "malformed", "c0", 22, "HTTP status 400 instead of 200", "empty-identifier"),
    Known("ip-pairings", "malformed", "c0", 26, "a record missing: Identifier (empty)", "without-empty-identifier"),
    Known(
        "ip-pairings",
        "permissions change while connected",
        "c1",
        8,
        "a record missing: Identifier (empty)",
        "without-empty-identifier",
    ),
    Known("ip-pairings", "fill up", "c0", 30, "item Error missing", "without-empty-identifier"),
    Known(
        "ip-pairings",
        "fill up",
        "c0",
        32,
        "a record missing: Identifier (empty); a record too much: Identifier 6578747261203132",
        "without-empty-identifier",
    ),
    Known("ip-pairings", "fill up", "c0", 64, "a record missing: Identifier (empty)", "without-empty-identifier"),
    Known(
        "ip-pairings",
        "remove another controller",
        "c1",
        5,
        "the connection is closed, in the recording it stayed open",
        "closed-at-once",
    ),
    Known(
        "ip-pairings",
        "remove the last admin",
        "c1",
        5,
        "the connection is closed, in the recording it stayed open",
        "closed-at-once",
    ),
    Known("ip-read", "errors", "c0", 72, "HTTP status 200 instead of 500", "many-ids"),
    Known(
        "edge_B0_refused_aiohomekit_x_happython",
        "edge_B0_refused_aiohomekit_x_happython",
        "c0",
        3,
        "item Error missing; item Proof too much",
        "every-padding",
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
