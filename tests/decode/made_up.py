"""Conversations made up for the tests of what draws them: the decoder has no part in it."""

from __future__ import annotations

from attrs import define, field

from hapcore.decode.model import Direction, Entry, Kind, Touched

LAMP = "192.168.1.4:51622 > 192.168.1.9:5001"
PLUG = "192.168.1.4:51700 > 192.168.1.12:5001"
ACCESSORIES = {LAMP: "3C:33:1B:21:B3:00", PLUG: "AA:BB:CC:00:11:22"}
ON, BRIGHTNESS = (1, 9, "Lightbulb.On"), (1, 10, "Lightbulb.Brightness")


@define
class Talk:
    """Entries one after the other; `after` is the time since the one before."""

    entries: list[Entry] = field(factory=list)
    time: float = 1_763_644_455.25

    def add(self, kind, title, *, after=0.01, to=Direction.NEITHER, connection=LAMP, **more) -> int:
        self.time += after
        number = len(self.entries)
        self.entries.append(
            Entry(
                number=number,
                time=self.time,
                connection=connection,
                accessory=ACCESSORIES.get(connection, connection),
                kind=kind,
                direction=to,
                title=title,
                **more,
            )
        )
        return number

    def ask(self, title, kind=Kind.REQUEST, **more) -> int:
        return self.add(kind, title, to=Direction.TO_ACCESSORY, data=title.encode() + b" HTTP/1.1\r\n\r\n", **more)

    def answer(self, number, title, *, after=0.012, kind=Kind.RESPONSE, **more) -> int:
        data = b"HTTP/1.1 " + title.encode(errors="surrogatepass") + b"\r\n\r\n"
        to = Direction.TO_CONTROLLER
        return self.add(kind, title, to=to, after=after, took=after, answers=number, data=data, **more)

    def shake_hands(self, name, steps, **more) -> None:
        for step in range(1, steps + 1, 2):
            state = (("State", f"M{step}"), ("Public key", "<32 bytes>"))
            asked = self.ask(f"{name} M{step}", Kind.PAIRING, details=state, **more)
            self.answer(asked, f"{name} M{step + 1}", kind=Kind.PAIRING, details=(("State", f"M{step + 1}"),), **more)


def touched(*values: tuple[tuple[int, int, str], str | None, int | None]) -> tuple[Touched, ...]:
    return tuple(Touched(*which, value=value, status=status) for which, value, status in values)


def evening(rounds: int = 1) -> list[Entry]:
    """Two accessories: one that works and has a gap and a slow answer, one that does not answer. 14 entries a round."""
    talk = Talk()
    talk.add(Kind.OPENED, "connection opened")
    talk.shake_hands("pair-setup", 6)
    talk.shake_hands("pair-verify", 4)
    asked = talk.ask("GET /accessories")
    talk.answer(asked, "200 OK", after=0.045, details=(("Content-Type", "application/hap+json"), ("JSON", "{}")))
    for _ in range(rounds):
        wanted = touched((ON, "true", None), (BRIGHTNESS, "40", None))
        asked = talk.ask("PUT /characteristics", after=2.3, touched=wanted)
        talk.answer(asked, "204 No Content")
        event = touched((ON, "false", None))
        talk.add(
            Kind.EVENT, "EVENT", to=Direction.TO_CONTROLLER, after=0.2, touched=event, data=b"EVENT/1.0 200 OK\r\n"
        )
        asked = talk.ask("GET /characteristics?id=1.9,1.10", after=14.0)
        values = touched((ON, "false", 0), (BRIGHTNESS, None, -70402))
        talk.answer(asked, "207 Multi-Status", after=1.24, touched=values)
        talk.add(Kind.GAP, "42 bytes missing here", to=Direction.TO_CONTROLLER, after=0.3)
        talk.add(Kind.OPENED, "connection opened", connection=PLUG)
        asked = talk.ask("pair-verify M1", Kind.PAIRING, connection=PLUG)
        wrong = (("State", "M2"), ("Error", "Authentication"))
        talk.answer(asked, "pair-verify M2", kind=Kind.PAIRING, connection=PLUG, details=wrong)
        talk.add(Kind.NOTE, "no keys for this connection", connection=PLUG)
        asked = talk.ask("GET /characteristics?id=1.9")
        talk.answer(asked, "200 OK", touched=event)
        talk.ask("GET /characteristics?id=1.10", connection=PLUG, after=75.0)
        talk.add(Kind.CLOSED, "closed by the controller", connection=PLUG, after=3.0)
    talk.add(Kind.CLOSED, "closed by the accessory", after=10.0)
    return talk.entries


#: Each of these, shown as markup, would set `window.hacked` or leave an element behind.
HOSTILE = (
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "<!--<script>",
    '"><img src=x onerror="window.hacked=1">',
    "'><svg onload=window.hacked=1>",
    "&lt;img src=x onerror=window.hacked=1&gt;",
    "]]>\u2028window.hacked=1\u2029//",
    "javascript:window.hacked=1",
    "${window.hacked=1}`",
    "\x00\x07\x1b[31mred\x1b[0m\x7f\x9b",
    "\u202eexe.txt\u2066\u200b\ufeff",
    "\ud800 half a character \udc00",
    "</title></style></noscript></select></template>",
    "x" * 100_000,
    "",
)


def attack(text: str) -> list[Entry]:
    """The same hostile text wherever a peer can put one."""
    connection = f"{text} > {text}"
    talk = Talk()
    asked = talk.ask("GET /accessories", connection=connection)
    found = (Touched(1, 9, text, text), Touched(1, 10, text, None, -1))
    talk.answer(asked, text, connection=connection, details=((text, text), ("JSON", text)), touched=found)
    talk.add(Kind.EVENT, text, to=Direction.TO_CONTROLLER, touched=found, data=text.encode(errors="surrogatepass"))
    talk.add(Kind.NOTE, text)
    talk.add(Kind.GAP, text)
    return talk.entries
