"""Text and tables for Dagster's markdown.

Labels, token values and the words of a provider's answer are chosen by people whom nobody knows:
every piece of such text is shown as the characters that it consists of, in one line. Checks show
their description as markdown, too.
"""

import re
from collections.abc import Iterable, Sequence

from pipelines.providers.provider import shorten

LONGEST_CELL = 400
"""Characters of one cell; messages are longer only where a provider's answer is quoted."""

_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~$&#!])")
"""What begins markup, HTML, an entity or a cell within a line. A backslash before any of these
means "this very character"; more of them would be in the way where Dagster shows the source."""


def literal(value: object) -> str:
    """`value` as markdown that shows its characters: no markup, no HTML, no new line.

    An address of the web may still become a link, to what it says.
    """
    if isinstance(value, int):
        return f"{value:,}"
    return _MARKUP.sub(r"\\\1", shorten(visible(str(value)), LONGEST_CELL))


def visible(text: str) -> str:
    """`text` in one line, with everything that is not printable shown as an escape."""
    if text.isprintable():
        return text
    from pipelines.analysis.tables import printable  # noqa: PLC0415 - pandas takes 0.3 s a run

    return printable(text)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table whose headings are ours and whose cells are anybody's."""
    lines = [_line(columns), _line(["---"] * len(columns))]
    lines += [_line([literal(value) for value in row]) for row in rows]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
