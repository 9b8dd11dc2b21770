"""What users see in their editor: mypy --strict and pyright read cases/, and every line must be as it says there.

`assert_type` names the exact type. A line that must not type-check is marked with the error it gives, once for each
checker, and a mark that is not needed any more is an error too: so a type that gets wider, or an argument that is not
checked any longer, is found.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

mypy = pytest.importorskip("mypy.api", reason="the extra `types` has the checkers")
pytest.importorskip("pyright", reason="the extra `types` has the checkers")

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(__file__).with_name("cases")


def _derived() -> dict[str, str]:
    """The calls of hap_trio, as they must be in the two other adapters."""
    text = (CASES / "calls.py").read_text(encoding="utf-8")
    assert text.count("hap_trio as hap") == 1
    return {
        "asyncio_calls.py": text.replace("hap_trio as hap", "hap_asyncio as hap"),
        "sync_calls.py": re.sub(r"\b(async|await) ", "", text).replace("hap_trio as hap", "hap_sync as hap"),
    }


#: Claims that are wrong: each of these lines, and no other, must be complained of. So the checkers look at all.
WRONG = """\
from typing import assert_type
from hapcore.catalogue.services import Lightbulb
from hapcore.ids import Value
import hap_asyncio, hap_sync, hap_trio
light = Lightbulb("Desk lamp", on=False)
assert_type(light.on.value, int)  # wrong
light.on.value = False  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue] # wrong
async def awaited(first: hap_trio.Client, second: hap_asyncio.Client, third: hap_sync.Client) -> None:
    first.read([(1, 9)]).values()  # wrong
    second.read([(1, 9)]).values()  # wrong
    await third.read([(1, 9)])  # wrong
    assert_type((await first.read([(1, 9)]))[light.on.id].value, object)  # wrong
    seen = (await second.device()).lightbulb
    assert_type(await second.get(seen.on), int)  # wrong
    await second.set(seen.on, "on")  # wrong
    await second.get(seen.brightness)  # wrong
    third.set(third.device().lightbulb.on, 2)  # wrong
    text: str = third.get(third.device().lightbulb.on)  # wrong
    other: str = await first.get(seen.on)  # wrong
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases in one folder."""
    folder = tmp_path_factory.mktemp("cases")
    for path in CASES.glob("*.py"):
        shutil.copy(path, folder)
    for name, text in _derived().items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "wrong.py").write_text(WRONG, encoding="utf-8")
    return folder


def _judge(complaints: Iterable[tuple[str, int, str]]) -> None:
    found = sorted(complaints)
    expected = {("wrong.py", number) for number, line in enumerate(WRONG.splitlines(), 1) if line.endswith("# wrong")}
    unexpected = [one for one in found if one[:2] not in expected]
    assert not unexpected, "\n".join(f"{name}:{line}: {what}" for name, line, what in unexpected)
    assert {one[:2] for one in found} == expected


def test_mypy_sees_what_the_cases_say_and_nothing_wrong_in_the_examples(cases):
    config = cases / "mypy.ini"
    untyped = "".join(f"[mypy-{name}.*]\nignore_missing_imports = True\n" for name in ("gevent", "zope", "PySide6"))
    config.write_text(f"[mypy]\nstrict = True\nmypy_path = {ROOT / 'src'}\n{untyped}", encoding="utf-8")
    cache = ROOT / ".mypy_cache" / "cases"
    files = sorted(map(str, [*cases.glob("*.py"), *(ROOT / "examples").rglob("*.py")]))
    report, trouble, _ = mypy.run(
        ["--config-file", str(config), "--cache-dir", str(cache), "--no-error-summary", "--output", "json", *files]
    )
    assert not trouble, trouble
    said = [json.loads(line) for line in report.splitlines()]
    _judge((Path(one["file"]).name, one["line"], one["message"]) for one in said if one["severity"] == "error")


def test_pyright_sees_what_the_cases_say(cases):
    settings = {
        "include": ["*.py"],
        "extraPaths": [str(ROOT / "src")],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "enableTypeIgnoreComments": False,  # those are for mypy
        "reportUnnecessaryTypeIgnoreComment": "error",
        "reportUnusedExpression": "none",
        "reportUnusedCoroutine": "none",
        "reportUnusedFunction": "none",
        "reportUnusedImport": "none",
    }
    (cases / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "-p", str(cases), "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    said = json.loads(done.stdout)["generalDiagnostics"]
    _judge(
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
        for one in said
        if one["severity"] == "error"
    )
