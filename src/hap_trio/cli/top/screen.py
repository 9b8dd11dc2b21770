"""The terminal screen of `hap top`: accessories on the left, what they have on the right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar

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

__all__ = ["Top"]

T = TypeVar("T")

#: Seconds between two looks at what has come in: quick for the eye, cheap over SSH.
BEAT = 0.2
#: Seconds that a changed value stands out.
FRESH = 2.0
_COLOURS = {Presence.SOUGHT: "yellow", Presence.HERE: "green", Presence.AWAY: "red"}
_LANES = ("", "accessory", "ev/min", "ms", "")
#: What changes comes first: it must be in sight on a narrow terminal, too.
_ROWS = ("value", "characteristic", "service", "id")


class _Asking(ModalScreen[str]):
    """One line for a new value; the empty text is none."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "back")]
    CSS = "_Asking { align: center middle; } _Asking > * { width: 60; }"

    def __init__(self, row: Row) -> None:
        super().__init__()
        self._row = row

    def compose(self) -> ComposeResult:
        yield Label(f"{self._row.service}, {self._row.handle.name}: {self._row.text}", markup=False)
        yield Input(placeholder=self._row.handle.metadata.format.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss("")


class _Table(DataTable[Text]):
    """A table with one line for each thing. What is as it was is neither drawn nor measured again."""

    def __init__(self, id: str) -> None:  # noqa: A002 - the word of the base
        super().__init__(id=id, cursor_type="row", zebra_stripes=True)
        self._marks: dict[str, object] = {}

    @property
    def chosen(self) -> str | None:
        """The key of the line that the cursor is on."""
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value if self.row_count else None

    def empty(self) -> None:
        """Take all away: what comes next is about something else."""
        self._marks = {}
        self.clear()

    def fill(self, things: Mapping[str, T], mark: Callable[[T], object], draw: Callable[[T], tuple[Text, ...]]) -> None:
        """Show these, by their keys. `mark` says how each is: as long as that is equal it is drawn the same."""
        marks = {key: mark(one) for key, one in things.items()}
        before, self._marks = self._marks, marks
        if list(before) != list(marks):
            self._begin_anew({key: draw(one) for key, one in things.items()})
            return
        columns = self.ordered_columns
        for key, one in things.items():
            if before[key] == marks[key]:
                continue
            for number, cell in enumerate(draw(one)):
                shown: Text = self.get_cell(key, str(number))
                if (shown.plain, shown.style) != (cell.plain, cell.style):  # equal texts may differ in style
                    # A column that may become narrower is measured from top to bottom: it stays as it is.
                    wider = cell.cell_len > columns[number].content_width
                    self.update_cell(key, str(number), cell, update_width=wider)

    def _begin_anew(self, lines: Mapping[str, tuple[Text, ...]]) -> None:
        """The cursor stays with what it was on: the next key is meant for that."""
        chosen, at = self.chosen, self.cursor_row
        self.clear()
        for key, cells in lines.items():
            self.add_row(*cells, key=key)
        if lines:
            self.move_cursor(
                row=list(lines).index(chosen) if chosen is not None and chosen in lines else min(at, len(lines) - 1)
            )


class _Rows(_Table):
    """The characteristics: here the arrows to the sides change a value."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("left", "app.step(False)", "off, less"),
        ("right", "app.step(True)", "on, more"),
        ("enter", "app.edit", "set"),
    ]


class _Lanes(_Table):
    """The accessories."""


class Top(App[None]):
    """The whole screen. `absorb` brings the board up to date at every beat, `write` has a value set.

    `clock` tells the time that the board's events are counted in.
    """

    CSS = """
    #lanes { width: 1fr; } #rows { width: 2fr; } DataTable { height: 1fr; } #said { height: 1; color: $warning; }
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
            yield _Lanes("lanes")
            yield _Rows("rows")
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
        self.query_one(_Lanes).fill(self._board.lanes, self._lane_mark, self._lane)
        lane = self.chosen
        if (alias := None if lane is None else lane.alias) != self._shown:
            self._shown = alias
            self.query_one(_Rows).empty()
        if lane is not None:
            self.query_one(_Rows).fill(
                {str(number): row for number, row in lane.rows.items()}, self._row_mark, self._row
            )

    def say(self, text: str) -> None:
        """A line at the bottom."""
        self.query_one("#said", Static).update(text)

    @property
    def chosen(self) -> Lane | None:
        """The accessory the cursor is on."""
        key = self.query_one(_Lanes).chosen
        return None if key is None else self._board.lanes.get(key)

    @property
    def picked(self) -> Row | None:
        """The characteristic the cursor is on."""
        lane, key = self.chosen, self.query_one(_Rows).chosen
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
            self._set(row, row.handle.from_text(text))
        except HapError as error:
            self.say(str(error))

    def _set(self, row: Row, value: Value) -> None:
        if self._shown is not None:
            self._write(self._shown, row.handle, value)

    def _lane_mark(self, lane: Lane) -> object:
        return lane.presence, lane.events(self._clock()), lane.round_trip, lane.reason

    def _lane(self, lane: Lane) -> tuple[Text, ...]:
        trip = lane.round_trip
        return (
            Text("●", style=_COLOURS[lane.presence]),
            Text(lane.alias),
            Text(str(lane.events(self._clock())), justify="right"),
            Text("" if trip is None else f"{trip * 1000:.1f}", justify="right"),
            Text(lane.reason, style="dim"),
        )

    def _fresh(self, row: Row) -> bool:
        return row.changed is not None and self._clock() - row.changed < FRESH

    def _row_mark(self, row: Row) -> object:
        return row.value, self._fresh(row), row.service, row.handle.description

    def _row(self, row: Row) -> tuple[Text, ...]:
        return (
            Text(row.text, style="bold reverse" if self._fresh(row) else ""),
            Text(row.handle.name),
            Text(row.service),
            Text(str(row.handle)),
        )
