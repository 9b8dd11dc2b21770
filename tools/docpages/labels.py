"""The labels of all random draws, found in the source."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

from tools.docpages.markdown import table

SRC = Path(__file__).resolve().parents[2] / "src"

#: What each draw is for. A label that is missing here, or not drawn any more, stops the generator.
PURPOSE = {
    "identity.device-id": "the accessory's device id, once in its life",
    "identity.ltsk": "the accessory's long-term key, once in its life",
    "setup-code": "a setup code, where none is given",
    "setup-id": "a setup id, where none is given",
    "pair-setup.salt": "the salt of the setup code's verifier; again while it begins with a zero byte",
    "pair-setup.srp-b": "the accessory's SRP secret for each M1; again while B begins with a zero byte",
    "pair-setup.srp-a": "the controller's SRP secret; again while A, S, K or the proof begins with a zero byte",
    "pair-verify.x25519": "the key of one pair-verify, on either side",
    "pair-resume.session-id": "over Bluetooth LE, the accessory's name for each session that is resumed",
    "controller.pairing-id": "the controller's pairing id, where no identity is given",
    "controller.ltsk": "the controller's long-term key, where no identity is given",
    "timed-write.pid": "the number of a timed write",
    "supervision.jitter": "how much longer or shorter a home waits before it tries again",
}


def drawn() -> dict[str, tuple[int, list[str]]]:
    """label -> (bytes, modules)."""
    found: dict[str, tuple[int, list[str]]] = {}
    for path in sorted((SRC / "hapcore").rglob("*.py")):
        name = ".".join(path.relative_to(SRC).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "draw":
                scope = vars(importlib.import_module(name))
                label, length = (_value(one, scope) for one in node.args[1:])
                size, modules = found.setdefault(str(label), (int(str(length)), []))
                if size != length:
                    raise SystemExit(f"{label} is drawn in two lengths")
                if name not in modules:
                    modules.append(name)
    if found.keys() != PURPOSE.keys():
        raise SystemExit(f"tools/docpages/labels.py is out of date: {sorted(found.keys() ^ PURPOSE.keys())}")
    return found


def _value(node: ast.expr, scope: dict[str, object]) -> object:
    return scope[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)


def render() -> list[str]:
    """The table."""
    draws = drawn()
    return table(
        ("Label", "Bytes", "What for"), ((f"`{label}`", str(draws[label][0]), what) for label, what in PURPOSE.items())
    )
