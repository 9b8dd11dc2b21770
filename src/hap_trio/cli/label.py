"""The label of an accessory: its QR code with the setup code above it in two rows of four, as people know it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import click
import segno

from hapcore.setup_code import SetupPayload

__all__ = ["draw", "label_option", "png", "svg", "write_secret"]

#: Modules of white that a QR code needs on each side.
_QUIET = 4
#: Pixels a module has in a PNG: 300 dots an inch make a label of 25 mm of it.
_PIXELS = 10
#: Each digit as seven rows of five modules, most significant bit left.
_DIGITS = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
}
_WIDE, _HIGH = 6, 9

_Grid = list[list[bool]]


def _matrix(payload: SetupPayload) -> _Grid:
    """The QR code, True for black, without its quiet zone. A quarter of it may be damaged (level Q)."""
    return [[bool(one) for one in row] for row in segno.make_qr(payload.uri(), error="q").matrix]


def _rows(payload: SetupPayload) -> tuple[str, str]:
    """The eight digits in two rows of four."""
    text = "" if payload.code is None else payload.code.text.replace("-", "")
    return text[:4], text[4:]


def svg(payload: SetupPayload) -> str:
    """The label as one SVG image, 25 mm wide when printed as it is."""
    modules = _matrix(payload)
    side = len(modules)
    width, height = side + 2 * _QUIET, side + 2 * _QUIET + 13
    black = [(x, y) for y, row in enumerate(modules) for x, dark in enumerate(row) if dark]
    squares = "".join(f"M{_QUIET + x} {_QUIET + 13 + y}h1v1h-1z" for x, y in black)
    upper, lower = _rows(payload)
    place = f'x="{width - _QUIET}" text-anchor="end" textLength="15" lengthAdjust="spacingAndGlyphs"'
    code = "".join(f'<text {place} y="{y}">{row}</text>' for row, y in ((upper, 8), (lower, 15)) if row)
    # A house, because that is what people look for on the label; drawn for this label.
    house = "M4 9.2 9.5 4 15 9.2M5.6 8V15H13.4V8M8 15V10.6H11V15"
    title = "HomeKit setup code" if payload.code is None else f"HomeKit setup code {payload.code.text}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="25mm" height="{25 * height / width:.2f}mm" '
        f'viewBox="0 0 {width} {height}"><title>{title}</title>'
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="2" fill="#fff" stroke="#000" '
        f'stroke-width=".4"/><path d="{house}" fill="none" stroke="#000" stroke-width="1.2" stroke-linejoin="round"/>'
        f'<g font-family="monospace" font-weight="bold" font-size="7">{code}</g>'
        f'<path d="{squares}" shape-rendering="crispEdges"/></svg>\n'
    )


def png(payload: SetupPayload) -> bytes:
    """The label as a PNG image in black and white, without colours, names or times."""
    modules = _matrix(payload)
    width = len(modules) + 2 * _QUIET
    rows = [row for row in _rows(payload) if row]
    page: _Grid = [[False] * width for _ in range(_QUIET + (_HIGH * len(rows) + 2 if rows else 0))]
    for number, row in enumerate(rows):
        left = (width - _WIDE * len(row) + 1) // 2
        for place, digit in enumerate(row):
            for y, bits in enumerate(_DIGITS[digit]):
                for x in range(5):
                    page[_QUIET + _HIGH * number + y][left + _WIDE * place + x] = bool(bits >> (4 - x) & 1)
    margin = [False] * _QUIET
    page += [margin + row + margin for row in modules]
    page += [[False] * width for _ in range(_QUIET)]
    return _encode(page)


def _encode(page: Sequence[Sequence[bool]]) -> bytes:
    """A greyscale PNG of one bit, every module `_PIXELS` wide and high."""
    width, height = len(page[0]) * _PIXELS, len(page) * _PIXELS
    lines = bytearray()
    for row in page:
        bits = "".join("0" * _PIXELS if dark else "1" * _PIXELS for dark in row)
        bits += "0" * (-len(bits) % 8)
        lines += (b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")) * _PIXELS

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes(lines), 9)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def draw(payload: SetupPayload, file: str) -> None:
    """Write the label into a file whose name says what it is to be, .svg or else .png. Raises `OSError`."""
    write_secret(file, svg(payload).encode() if file.lower().endswith(".svg") else png(payload))


def write_secret(file: str, content: bytes) -> None:
    """Write what holds a setup code: a new file is readable by its owner only, whatever the umask. Raises `OSError`."""
    Path(file).touch(0o600)
    Path(file).write_bytes(content)


def _image(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.lower().endswith((".svg", ".png")):
        raise click.BadParameter("a label is written as .svg or .png", ctx, parameter)
    return value


label_option = click.option(
    "--qr",
    type=click.Path(dir_okay=False),
    callback=_image,
    metavar="FILE",
    help="Write the label with code and QR code: .svg or .png.",
)
