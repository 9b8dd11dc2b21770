"""How reports look: the files beside this one, for `hapcore.decode.report`, which reads none itself."""

from __future__ import annotations

from importlib.resources import files

from hapcore.decode.report import Look

__all__ = ["look"]

#: In this order they make one script: what each file uses of the others stands in those before it, or runs later.
SCRIPTS = ("text.js", "conversation.js", "layout.js", "diagram.js", "panel.js", "filters.js", "start.js")


def look() -> Look:
    """The look of our reports."""
    folder = files(__name__)

    def text(name: str) -> str:
        return folder.joinpath(name).read_text(encoding="utf-8")

    scripts = "\n".join(text(name) for name in SCRIPTS)
    return Look(body=text("body.html"), style=text("style.css"), script=f'"use strict";\n(() => {{\n{scripts}\n}})();')
