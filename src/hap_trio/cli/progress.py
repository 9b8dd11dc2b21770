"""How far something is that takes a while: on stderr, and only where a person looks at it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar

from hap_trio.cli.terminal import tidy

__all__ = ["Search", "Steps", "looking", "steps"]


def _console() -> Console:
    return Console(stderr=True, highlight=False, emoji=False)


class Steps:
    """What is being done; the last step is shown with the time it takes."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task("", total=None)

    def say(self, text: str) -> None:
        """The next step begins."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=tidy(text), refresh=True)

    @contextmanager
    def paused(self) -> Generator[None]:
        """The terminal is needed for something else."""
        if self._progress is not None:
            self._progress.stop()
        try:
            yield
        finally:
            if self._progress is not None:
                self._progress.start()


@contextmanager
def steps(text: str) -> Generator[Steps]:
    """Show what is being done, for the length of a block; nothing is left of it."""
    console = _console()
    if not console.is_terminal:
        yield Steps(None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        shown = Steps(progress)
        shown.say(text)
        yield shown


class _Passing(BarColumn):
    """A bar that grows by itself, with the time."""

    def render(self, task: Task) -> ProgressBar:
        task.completed = min(task.elapsed or 0.0, task.total or 0.0)
        return super().render(task)


class Search:
    """A search that ends after a known time."""

    def __init__(self, progress: Progress | None, seconds: float) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task("0 found", total=seconds)

    def show(self, found: int) -> None:
        """So many were found."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=f"{found} found", refresh=True)


@contextmanager
def looking(seconds: float) -> Generator[Search]:
    """Show how a search goes on, for the length of a block; nothing is left of it."""
    console = _console()
    if not console.is_terminal:
        yield Search(None, seconds)
        return
    with Progress(_Passing(), TextColumn("{task.description}"), console=console, transient=True) as progress:
        yield Search(progress, seconds)
