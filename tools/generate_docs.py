"""Write what the documentation takes from the code: `python tools/generate_docs.py [--check]`.

Whole pages: docs/differences.md, docs/quirks.md, docs/reference.md. In README.md and the other pages what stands
between one of these marks and `<!-- end -->`:

    <!-- help: hap serve -->             what `hap serve --help` prints
    <!-- file: examples/own_loop.py -->  the file
    <!-- part: examples/in_tk.py Window.pump Window.timeout -->
                                         functions, methods or classes of a file
    <!-- labels -->                      the table of random draws

With `--check` nothing is written: differences are printed, and the exit code is 1 if there are any. Needs the extra
`cli`.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.replay import differences  # noqa: E402 - found by the line above
from tools.docpages import cli, labels, listing, quirks, reference  # noqa: E402

DOCS = ROOT / "docs"
END = "<!-- end -->"
MARKED = re.compile(rf"^(?P<mark><!-- (?P<kind>help|file|part|labels)(?:: (?P<name>.+?))? -->)$.*?^{END}$", re.M | re.S)


def block(kind: str, name: str) -> list[str]:
    """What belongs after a mark."""
    if kind == "help":
        return cli.help_text(name)
    if kind == "file":
        return ["```python", *(ROOT / name).read_text(encoding="utf-8").splitlines(), "```"]
    if kind == "part":
        path, *names = name.split()
        return ["```python", *listing.parts((ROOT / path).read_text(encoding="utf-8"), names), "```"]
    return labels.render()


def fill(text: str) -> str:
    """A hand-written page with everything between its marks renewed."""

    def renew(found: re.Match[str]) -> str:
        return "\n".join([found["mark"], "", *block(found["kind"], found["name"] or ""), "", END])

    return MARKED.sub(renew, text)


def render() -> dict[Path, str]:
    """Page -> what it should hold."""
    pages = {
        DOCS / "differences.md": differences.page(),
        DOCS / "quirks.md": quirks.render(),
        DOCS / "reference.md": reference.render(),
    }
    for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))):
        if path not in pages:
            pages[path] = fill(path.read_text(encoding="utf-8"))
    return pages


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, complain about what is not up to date")
    check = parser.parse_args().check
    stale = False
    for path, text in render().items():
        name = path.relative_to(ROOT)
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        stale = True
        if check:
            lines = difflib.unified_diff(
                old.splitlines(), text.splitlines(), f"docs/{name}", "as the code says", "", "", 1, ""
            )
            print("\n".join(lines))
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if check and stale:
        print("stale: run `python tools/generate_docs.py`", file=sys.stderr)
    return int(check and stale)


if __name__ == "__main__":
    sys.exit(main())
