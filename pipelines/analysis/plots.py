"""What changed in a run, by target, as a small picture.

Matplotlib is imported when the first picture is drawn: importing it takes longer than most runs.
Its figure is used without pyplot, which keeps all figures of a process. The picture stays in
Dagster's event log for good, so it is a palette PNG of a few kilobytes.

Labels are anybody's text: they are not read as mathematics, and what can't be drawn is a box.
"""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.warehouse.registry import PublishedSnapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TARGETS = 12
"""Bars that one picture shows; the others are counted in its title."""

LARGEST_PNG = 15 * 1024
"""Bytes that the picture stays under, whatever the labels are."""

_LONGEST_LABEL = 28
_COLOURS = 32
_INK = "#2b303b"
_RIGHT = {"entered": "#1f6fb4", "increased": "#79b0de", "reacquired": "#8a6fc9"}
_LEFT = {"exited": "#c8561b", "decreased": "#efaa7c"}
"""Blue and orange: told apart by the colour-blind, on the light card that both themes get."""


@dataclass(frozen=True)
class Change:
    """The change counts of one target's snapshot, under the name that people know."""

    label: str
    snapshot: PublishedSnapshot

    @property
    def came(self) -> int:
        return sum(getattr(self.snapshot, kind) for kind in _RIGHT)

    @property
    def went(self) -> int:
        return sum(getattr(self.snapshot, kind) for kind in _LEFT)

    @property
    def size(self) -> int:
        return self.came + self.went


def changed_most(changes: Sequence[Change]) -> list[Change]:
    """Those that changed since the snapshot before, the most changed first.

    A first snapshot is left out: all of its rows are new to us, which says nothing of the world.
    """
    moved = [c for c in changes if c.snapshot.previous_id is not None and c.size]
    return sorted(moved, key=lambda change: (-change.size, change.label))


def changes_png(changes: Sequence[Change], settings_folder: Path) -> bytes | None:
    """Bars to the right for what came or grew, to the left for what went or shrank: a PNG.

    None where nothing changed. Matplotlib keeps its list of fonts in `settings_folder`.
    """
    ranked = changed_most(changes)
    if not ranked:
        return None
    os.environ.setdefault("MPLCONFIGDIR", str(settings_folder))
    from matplotlib import rc_context  # noqa: PLC0415 - see above
    from matplotlib.figure import Figure  # noqa: PLC0415

    shown = ranked[:MOST_TARGETS]
    with rc_context({"text.parse_math": False, "font.family": "DejaVu Sans", "font.size": 8}):
        figure = Figure(figsize=(6.4, 1.15 + 0.27 * len(shown)), dpi=100, layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, shown)
        axes.set_title(_title(ranked), loc="left", fontsize=9, color=_INK)
        figure.legend(loc="outside lower center", ncols=5, frameon=False, labelcolor=_INK)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", facecolor="white")
    return with_few_colours(drawn)


def _draw(axes: "Axes", shown: Sequence[Change]) -> None:
    places = range(len(shown))
    for kinds, sign in ((_RIGHT, 1), (_LEFT, -1)):
        ends = [0] * len(shown)
        for kind, colour in kinds.items():
            widths = [sign * getattr(change.snapshot, kind) for change in shown]
            axes.barh(places, widths, left=ends, color=colour, label=kind, height=0.72)
            ends = [end + width for end, width in zip(ends, widths, strict=True)]
        _write_sums(axes, ends, sign)
    axes.set_yticks(places, [drawable(change.label) for change in shown], color=_INK)
    axes.invert_yaxis()
    axes.axvline(0, color=_INK, linewidth=0.8)
    axes.margins(x=0.12)
    axes.set_xlabel("rows that went or shrank  ←   → rows that came or grew", color=_INK)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
    axes.locator_params(axis="x", integer=True)
    axes.tick_params(colors=_INK, length=0)
    axes.grid(axis="x", color="#e3e5ea", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def _write_sums(axes: "Axes", ends: Sequence[int], sign: int) -> None:
    for place, end in enumerate(ends):
        if end:
            axes.annotate(
                f"{end:+,}",
                (end, place),
                xytext=(3 * sign, 0),
                textcoords="offset points",
                ha="left" if sign > 0 else "right",
                va="center",
                color=_INK,
                fontsize=7,
            )


def _title(ranked: Sequence[Change]) -> str:
    hidden = len(ranked) - MOST_TARGETS
    of_many = f": the {MOST_TARGETS} that changed most, and {hidden:,} more" if hidden > 0 else ""
    return f"Since the snapshot before{of_many}"


def drawable(label: str) -> str:
    text = label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
    glyphs = _glyphs()
    return "".join(char if char.isprintable() and ord(char) in glyphs else "□" for char in text)


@cache
def _glyphs() -> frozenset[int]:
    """The characters that the font has: for others, matplotlib would warn at each drawing."""
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415 - see above

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def with_few_colours(png: io.BytesIO) -> bytes:
    from PIL import Image  # noqa: PLC0415 - comes with matplotlib

    small = io.BytesIO()
    with Image.open(png) as picture:
        palette = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        palette.save(small, format="png", optimize=True)
    return small.getvalue()
