"""The setup code of an accessory with a display: when it is shown, and who shows it (HAP 2.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from attrs import evolve

from hapcore.accessory.config import ShowCode
from hapcore.accessory.events import HideSetupCode, ShowSetupCode
from hapcore.accessory.handlers import Consultation, Inquiry
from hapcore.accessory.stored import Stored
from hapcore.engine import Output
from hapcore.errors import LocalProtocolError
from hapcore.pairing.setup import SetupDesk
from hapcore.setup_code import SetupCode, SetupPayload

__all__ = ["Display", "Screen", "Showing"]


class Screen:
    """Which code people can use, and what an engine says when its display has to show another."""

    def __init__(self, stored: Stored, display: bool, emit: Callable[[Output], None]) -> None:
        self._stored = stored
        self._display = display
        self._emit = emit
        self._shown: SetupCode | None = None

    @property
    def code(self) -> SetupCode:
        """The code of the label, or the one that is shown now. `LocalProtocolError` where none is."""
        code = self.known
        if code is None:
            raise LocalProtocolError("there is a setup code only while somebody pairs: the display shows it then")
        return code

    @property
    def known(self) -> SetupCode | None:
        """The same, None where there is none."""
        return self._shown if self._display else self._stored.setup.code

    def follow(self, desk: SetupDesk, payload: SetupPayload) -> None:
        """Tell what has become of the code of `desk`; `payload` is the accessory's, with whatever code."""
        code = desk.shown
        if code == self._shown:
            return
        self._shown = code
        self._emit(HideSetupCode() if code is None else ShowSetupCode(code, evolve(payload, code=code)))


class Display(Consultation):
    """Has the application's function show codes, one call after the other; of what waits only the latest counts."""

    __slots__ = ("_busy", "_complain", "_show", "_wanted")

    def __init__(self, show: ShowCode, complain: Callable[[Exception], object]) -> None:
        super().__init__([], lambda *_: None, {})
        self._show = show
        self._complain = complain
        self._wanted: list[str | None] = []
        self._busy = False

    def want(self, code: str | None) -> Inquiry:
        """Have `code` shown; begin what this returns."""
        self._wanted = [code]
        return Showing(self)

    def advance(self) -> Awaitable[object] | None:
        """Show what is wanted now, unless the last call is not over yet."""
        while self._wanted and not self._busy:
            try:
                result = self._show(self._wanted.pop())
            except Exception as error:  # noqa: BLE001 - whatever the application does, pairing goes on
                self._complain(error)
                continue
            if hasattr(result, "__await__"):
                self._busy = True
                return cast("Awaitable[object]", result)
        return None

    def returned(self, result: object) -> Awaitable[object] | None:
        """What was waited for has come."""
        del result
        self._busy = False
        return self.advance()

    def raised(self, error: Exception) -> Awaitable[object] | None:
        """What was waited for has failed."""
        self._complain(error)
        return self.returned(None)


class Showing(Inquiry):
    """One change of what is shown, asked for in the way of all handlers."""

    def __init__(self, display: Display) -> None:
        super().__init__([], lambda _, __: None, lambda _: None, lambda _, __: None, {})
        self._display = display

    def begin(self) -> list[tuple[Consultation, Awaitable[object]]]:
        """Call the function; what has to be waited for."""
        awaited = self._display.advance()
        return [] if awaited is None else [(self._display, awaited)]
