"""How reports look: the files beside this one, for `hapcore.decode.report`, which reads none itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from hapcore.decode import Entry
from hapcore.decode.report import Look, report

__all__ = ["look", "write_page"]

#: In this order they make one script: what each file uses of the others stands in those before it, or runs later.
SCRIPTS = ("text.js", "conversation.js", "layout.js", "diagram.js", "panel.js", "filters.js", "start.js")


def look() -> Look:
    """The look of our reports."""
    folder = files(__name__)

    def text(name: str) -> str:
        return folder.joinpath(name).read_text(encoding="utf-8")

    scripts = "\n".join(text(name) for name in SCRIPTS)
    return Look(body=text("body.html"), style=text("style.css"), script=f'"use strict";\n(() => {{\n{scripts}\n}})();')


def write_page(path: Path, entries: Iterable[Entry], title: str, remarks: Iterable[str] = ()) -> int:
    """Write a report, readable by its owner alone; return how many entries there were. Raises `OSError`.

    The file is there when it is whole: a page without its end shows nothing.
    """
    count = 0

    def counted() -> Iterable[Entry]:
        nonlocal count
        for entry in entries:
            count += 1
            yield entry

    text = report(counted(), title, look(), remarks)
    if path.exists() and not path.is_file():  # a device or a pipe cannot be replaced
        with path.open("w", encoding="utf-8", newline="\n") as out:
            out.writelines(text)
        return count
    unfinished = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as out:
            unfinished.chmod(0o600)  # it may have been there before, for everybody
            out.writelines(text)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return count
