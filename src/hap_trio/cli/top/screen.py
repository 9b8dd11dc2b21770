"""The terminal screen of `hap top`: accessories on the left, what they have on the right."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import DataTable, Footer, Input, Label, Static

from hap_trio.cli.top.board import Board, Lane, Presence, Row
from hapcore.errors import HapError
from hapcore.ids import CharacteristicId, Value
from hapcore.model.handle import Handle
from hapcore.model.values import parse_text

__all__ = ["Top"]

#: Seconds between two looks at what has come in: quick for the eye, cheap over SSH.
BEAT = 0.2
#: Seconds that a changed value stands out.
FRESH = 2.0
_COLOURS = {Presence.SOUGHT: "yellow", Presence.HERE: "green", Presence.AWAY: "red"}
_LANES = ("", "accessory", "ev/min", "ms", "")
_ROWS = ("service", "characteristic", "value", "id")


class _Asking(ModalScreen[str]):
    """One line for a new value; the empty text is none."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "back")]
    CSS = "_Asking { align: center middle; } _Asking > * { width: 60; }"

    def __init__(self, row: Row) -> None:
        super().__init__()
        self._row = row

    def compose(self) -> ComposeResult:
        yield Label(f"{self._row.service}, {self._row.handle.name}: {self._row.text}")
        yield Input(placeholder=self._row.handle.metadata.format.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss("")


class _Rows(DataTable[Text]):
    """The characteristics: here the arrows to the sides change a value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("left", "app.step(False)", "off, less"),
        ("right", "app.step(True)", "on, more"),
        ("enter", "app.edit", "set"),
    ]


class _Lanes(DataTable[Text]):
    """The accessories."""


class Top(App[None]):
    """The whole screen. `absorb` brings the board up to date at every beat, `write` has a value set.

    `clock` tells the time that the board's events are counted in.
    """

    CSS = """
    #lanes { width: 2fr; } #rows { width: 3fr; } DataTable { height: 1fr; } #said { height: 1; color: $warning; }
    """
    TITLE = "hap top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "quit"), ("tab", "app.focus_next", "other side")]

    def __init__(
        self,
        board: Board,
        absorb: Callable[[], str | None],
        write: Callable[[str, Handle[Value], Value], object],
        clock: Callable[[], float],
    ) -> None:
        super().__init__()
        self._board = board
        self._absorb = absorb
        self._write = write
        self._clock = clock
        self._shown: str | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield _Lanes(id="lanes", cursor_type="row", zebra_stripes=True)
            yield _Rows(id="rows", cursor_type="row", zebra_stripes=True)
        yield Static(id="said", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        for table, titles in ((self.query_one(_Lanes), _LANES), (self.query_one(_Rows), _ROWS)):
            for number, title in enumerate(titles):
                table.add_column(title, key=str(number))
        self.beat()
        self.query_one(_Lanes).focus()
        self.set_interval(BEAT, self.beat)

    def beat(self) -> None:
        """Show what has come in since the last time."""
        said = self._absorb()
        if said is not None:
            self.say(said)
        _fill(self.query_one(_Lanes), {alias: self._lane(one) for alias, one in self._board.lanes.items()})
        lane = self.chosen
        if (alias := None if lane is None else lane.alias) != self._shown:
            self._shown = alias
            self.query_one(_Rows).clear()
        if lane is not None:
            _fill(self.query_one(_Rows), {str(row.handle): self._row(row) for row in lane.rows.values()})

    def say(self, text: str) -> None:
        """A line at the bottom."""
        self.query_one("#said", Static).update(text)

    @property
    def chosen(self) -> Lane | None:
        """The accessory the cursor is on."""
        key = _key(self.query_one(_Lanes))
        return None if key is None else self._board.lanes.get(key)

    @property
    def picked(self) -> Row | None:
        """The characteristic the cursor is on."""
        lane, key = self.chosen, _key(self.query_one(_Rows))
        return None if lane is None or key is None else lane.rows.get(CharacteristicId.parse(key))

    def action_step(self, up: bool) -> None:
        """Set the value a step further."""
        row = self._settable()
        if row is not None and (value := row.stepped(up)) is not None:
            self._set(row, value)

    def action_edit(self) -> None:
        """Ask for a value."""
        row = self._settable()
        if row is not None:
            self.push_screen(_Asking(row), lambda text: self._typed(row, text))

    def on_data_table_row_selected(self) -> None:
        """Enter on an accessory: over to what it has."""
        self.query_one(_Rows).focus()

    def _settable(self) -> Row | None:
        row = self.picked
        if row is not None and not row.handle.writable:
            self.say(f"{row.handle.name} can only be looked at")
            return None
        return row

    def _typed(self, row: Row, text: str | None) -> None:
        if not text:
            return
        try:
            self._set(row, parse_text(row.handle.metadata, text))
        except HapError as error:
            self.say(str(error))

    def _set(self, row: Row, value: Value) -> None:
        if self._shown is not None:
            self._write(self._shown, row.handle, value)

    def _lane(self, lane: Lane) -> tuple[Text, ...]:
        trip = lane.round_trip
        return (
            Text("●", style=_COLOURS[lane.presence]),
            Text(lane.alias),
            Text(str(lane.events(self._clock())), justify="right"),
            Text("" if trip is None else f"{trip * 1000:.1f}", justify="right"),
            Text(lane.reason, style="dim"),
        )

    def _row(self, row: Row) -> tuple[Text, ...]:
        fresh = row.changed is not None and self._clock() - row.changed < FRESH
        return (
            Text(row.service),
            Text(row.handle.name),
            Text(row.text, style="bold reverse" if fresh else ""),
            Text(str(row.handle)),
        )


def _key(table: DataTable[Text]) -> str | None:
    """The key of the row that the cursor is on."""
    if not table.row_count:
        return None
    return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value


def _fill(table: DataTable[Text], rows: dict[str, tuple[Text, ...]]) -> None:
    """Bring a table up to date: cells that are the same are not touched."""
    if [key.value for key in table.rows] != list(rows):
        at = table.cursor_coordinate
        table.clear()
        for key, cells in rows.items():
            table.add_row(*cells, key=key)
        if rows:
            table.move_cursor(row=min(at.row, len(rows) - 1))
        return
    for key, cells in rows.items():
        for number, cell in enumerate(cells):
            if table.get_cell(key, str(number)) != cell:
                table.update_cell(key, str(number), cell, update_width=True)
