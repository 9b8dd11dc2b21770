"""Samples in, medians and ratios out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Row:
    """One line of a table. `target` is what we aim at: a ratio to the peer, or the value where there is no peer."""

    label: str
    unit: str
    target: str = ""


@dataclass
class Table:
    """Rows by subject; ratios are to `peer`, or to each of several."""

    title: str
    subjects: tuple[str, ...]
    peer: str | tuple[str, ...] | None = None
    samples: dict[Row, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, row: Row, subject: str, value: float) -> None:
        """Keep one sample."""
        self.samples.setdefault(row, {}).setdefault(subject, []).append(value)

    def medians(self) -> Iterable[tuple[Row, Mapping[str, float]]]:
        """The median of each cell."""
        for row, cells in self.samples.items():
            yield row, {subject: median(values) for subject, values in cells.items()}

    def text(self) -> str:
        """The table as Markdown: median [least..most] for each subject, then its ratio to the peer."""
        peers = (self.peer,) if isinstance(self.peer, str) else self.peer or ()
        compared = [(subject, peer) for peer in peers for subject in self.subjects if subject not in peers]
        targets = any(row.target for row in self.samples)
        head = ["", *self.subjects, *(f"{subject} / {peer}" for subject, peer in compared), *(["target"] * targets)]
        lines = [f"### {self.title}", "", _line(head), _line(["---"] * len(head))]
        for row, middle in self.medians():
            cells = [f"{row.label}, {row.unit}" if row.unit else row.label]
            for subject in self.subjects:
                values = self.samples[row].get(subject)
                cells.append(
                    f"{_number(middle[subject])} [{_number(min(values))}..{_number(max(values))}]" if values else "-"
                )
            for subject, peer in compared:
                if subject in middle and middle.get(peer):
                    cells.append(f"{middle[subject] / middle[peer]:.2f}")
                else:
                    cells.append("-")
            if targets:
                cells.append(row.target)
            lines.append(_line(cells))
        return "\n".join(lines) + "\n"

    def plain(self) -> dict[str, object]:
        """Everything, for a file."""
        return {
            "title": self.title,
            "peer": self.peer,
            "rows": [
                {"label": row.label, "unit": row.unit, "target": row.target, "samples": cells}
                for row, cells in self.samples.items()
            ],
        }


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"
