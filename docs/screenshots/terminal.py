"""Draw the README's picture, docs/screenshots/demo.svg, from what `holdfast demo` prints.

    .venv/bin/python docs/screenshots/terminal.py

The demo runs in a folder of its own, which is removed at the end.
"""
# ruff: noqa: INP001 - a script

import io
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pipelines.demo import demo_settings
from pipelines.demo_rounds import run_demo
from pipelines.settings import Settings
from pipelines.warehouse import embedded

PICTURE = Path(__file__).with_name("demo.svg")
WIDTH = 100
FIRST, BEFORE = "Round 3", "Three things to try next"
"""The lines of the demo from which, and up to which, the picture shows it."""

# Rich's own template loads a font from elsewhere; a monospace one of the reader's does as well.
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Run the demo and draw its end."""
    with tempfile.TemporaryDirectory(prefix="holdfast-picture-") as home:
        settings = Settings(_env_file=None, holdfast_home=Path(home))
        try:
            printed = Console(file=io.StringIO(), width=WIDTH, record=True, force_terminal=True)
            if not run_demo(settings, printed):
                raise SystemExit(printed.export_text())
        finally:
            embedded.stop(demo_settings(settings).holdfast_home)
    lines = printed.export_text(styles=True).splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if FIRST in line)
    last = next(number for number, line in enumerate(lines) if BEFORE in line)
    drawn = Console(file=io.StringIO(), width=WIDTH, record=True, force_terminal=True)
    drawn.print(Text.from_ansi("".join(lines[first:last])), soft_wrap=True)
    PICTURE.write_text(drawn.export_svg(title="$ make demo", code_format=SVG))


if __name__ == "__main__":
    main()
