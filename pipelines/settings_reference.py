"""Writes `docs/configuration.md` and `.env.example` from the settings classes.

    python -m pipelines.settings_reference

What a setting accepts, its default and its meaning are told in one place, the class that reads it;
a test compares both files with what is written here.
"""

import inspect
import textwrap
from dataclasses import dataclass
from pathlib import Path

from pydantic_settings import BaseSettings

from pipelines.environment import INTERNAL_NAMES
from pipelines.paths import working_folder
from pipelines.providers import PROVIDERS
from pipelines.settings import Settings
from pipelines.variables import Variable, variables

COMMAND = "python -m pipelines.settings_reference"

_HOW_THEY_ARE_READ = """\
Every setting is an environment variable, or a line `NAME=value` of a file `.env` in the working
folder; `.env.example` is a template for it. All of them are optional, but for those marked
**required**.

The **working folder** of a checkout is the checkout, whatever folder a command is started in. Where
Holdfast was installed from a wheel, it is the folder that a command is started in: `.env`,
`targets.yaml` and `.holdfast` are looked for and made there, and `holdfast up` has the processes
that it starts do the same.

- The environment wins over `.env`; an empty value is as good as none, in both. Capitals and small
  letters in names are the same.
- In `.env`, a `#` at the beginning of a line or behind a space begins a comment, quotes around a
  value are taken off, and `${NAME}` stands for another variable's value. A setting may be given
  once, on one line. The file is UTF-8.
- A path may begin with `~`. One that is not absolute counts from the working folder.
- All mistakes are told at once, with the line of `.env` or as the environment's, before anything
  else happens: by `up` and `snapshot` those of all settings, by commands that ask no provider
  those of the general ones alone. The values of secrets are never shown.
- A name that begins like a setting's and is none is a mistake in `.env`, as is one that comes close
  to `DATABASE_URL`; in the environment it only leads to a warning, since it may be another
  program's. Other names are nobody's business: `DAGSTER_HOME`, say, may stand in the same file.

What is watched, and when, stands in `targets.yaml`, which is made from
[`targets.example.yaml`](../targets.example.yaml).
"""


@dataclass(frozen=True)
class Group:
    """The variables of one settings class; credentials, and what is required, come first."""

    title: str
    about: str
    variables: tuple[Variable, ...]

    @classmethod
    def of(cls, title: str, kind: type[BaseSettings]) -> "Group":
        first = sorted(variables(kind), key=lambda one: not (one.secret or one.required))
        return cls(title, " ".join((inspect.getdoc(kind) or "").split()), tuple(first))


def groups() -> tuple[Group, ...]:
    """All settings there are."""
    providers = (Group.of(one.title, one.settings_type) for one in PROVIDERS.values())
    return (Group.of("Holdfast", Settings), *providers)


def configuration_page() -> str:
    """The text of docs/configuration.md."""
    sections = [_section(group) for group in groups()]
    internal = ", ".join(f"`{name}`" for name in sorted(INTERNAL_NAMES))
    return "\n".join(
        [
            f"<!-- Written by `{COMMAND}` from the settings classes: change those. -->",
            "",
            "# Configuration",
            "",
            _HOW_THEY_ARE_READ,
            *sections,
            "## Not settings",
            "",
            f"Holdfast gives these variables to processes of its own: {internal}.",
            "",
        ]
    )


def _section(group: Group) -> str:
    rows = [
        f"| `{one.name}` | {_cell(_value(one))} | {_default_cell(one)} | {_cell(one.meaning)} |"
        for one in group.variables
    ]
    head = ["| variable | value | default | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {group.title}", "", group.about, "", *head, *rows, ""])


def _value(variable: Variable) -> str:
    return variable.accepts + (" (secret)" if variable.secret else "")


def _default_cell(variable: Variable) -> str:
    if variable.required:
        return f"**required** for {variable.required}"
    return "none" if variable.default is None else f"`{variable.default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def example_env() -> str:
    """The text of .env.example: every variable, without a value."""
    lines = [
        "# Copy this file to .env and fill in what you need. An empty value is as good as none;",
        "# variables of the environment win over this file. More in docs/configuration.md.",
        f"# Written by {COMMAND} from the settings classes: change those.",
    ]
    for group in groups():
        lines += ["", "", f"# ---- {group.title} ".ljust(100, "-"), *_comment(group.about)]
        for variable in group.variables:
            lines += ["", *_comment(_remark(variable)), f"{variable.name}="]
    return "\n".join(lines) + "\n"


def _remark(variable: Variable) -> str:
    if variable.required:
        default = f"Required for {variable.required}."
    else:
        default = "" if variable.default is None else f"Default: {variable.default}"
    accepts = "" if variable.accepts == "text" else _sentence(variable.accepts)
    return " ".join(part for part in (variable.meaning, accepts, default) if part)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        width=100,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def write(folder: Path) -> None:
    """Write both files below a folder."""
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "configuration.md").write_text(configuration_page(), encoding="utf-8")
    (folder / ".env.example").write_text(example_env(), encoding="utf-8")


if __name__ == "__main__":
    write(working_folder())
