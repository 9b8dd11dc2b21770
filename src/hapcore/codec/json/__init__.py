"""JSON as HAP needs it (HAP 8.7, 8.8): a strict reader, a tolerant reader, and a writer."""

from __future__ import annotations

from hapcore.codec.json.strict import Object, read_strict
from hapcore.codec.json.tolerant import MAX_REPAIR, read_tolerant
from hapcore.codec.json.value import MAX_DEPTH, MAX_NUMBER, JsonError, JsonInput, JsonValue
from hapcore.codec.json.write import number, string, write

__all__ = [
    "MAX_DEPTH",
    "MAX_NUMBER",
    "MAX_REPAIR",
    "JsonError",
    "JsonInput",
    "JsonValue",
    "Object",
    "number",
    "read_strict",
    "read_tolerant",
    "string",
    "write",
]
