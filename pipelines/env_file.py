"""The `.env` file, with the line of everything in it.

Read here, with the parser that pydantic-settings uses too (python-dotenv), and not by
pydantic-settings itself: that passes over lines that it can't read, takes the last of two values
without a word, and can't say on which line a bad value stands.
"""

import io
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from pipelines.errors import ConfigurationError


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a line of `.env`, or with a variable of the environment (no path)."""

    text: str
    path: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        if self.path is None:
            return f"environment: {self.text}"
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class EnvFile:
    """What a file holds; names are in upper case, as capitals don't matter.

    `lines` has the line of each name, `values` what is not empty, with each `${NAME}` replaced.
    `mistakes` never quote a value: it may be a secret.
    """

    path: Path | None
    lines: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()


def read_env_file(path: Path | None, ours: Collection[str]) -> EnvFile:
    """Read a file; one that is not there is empty. The values of `ours` are checked for one line.

    Raises ConfigurationError where it can't be read at all.
    """
    if path is None or not os.path.lexists(path):
        return EnvFile(path)
    bindings = [_Line.of(binding) for binding in parse_stream(io.StringIO(_text(path)))]
    named = [line for line in bindings if line.name]
    given = [line for line in named if line.binding.value]
    replaced = dotenv_values(
        stream=io.StringIO("".join(line.binding.original.string for line in given))
    )
    return EnvFile(
        path,
        lines={line.name: line.number for line in [*named, *given]},
        values={name.upper(): value for name, value in replaced.items() if value},
        mistakes=tuple(
            Mistake(text, path, number) for number, text in _mistakes(bindings, set(ours))
        ),
    )


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path}:{line}: not UTF-8 text: save the file in that encoding"
        ) from None


@dataclass(frozen=True)
class _Line:
    """A binding of the parser's, and where it begins: the parser counts blank lines before it."""

    binding: Binding
    number: int
    name: str

    @classmethod
    def of(cls, binding: Binding) -> "_Line":
        written = binding.original.string
        blank = written[: len(written) - len(written.lstrip())]
        number = binding.original.line + len(re.findall(r"\r\n|\n|\r", blank))
        return cls(binding, number, (binding.key or "").upper())

    @property
    def swallowed(self) -> list[str]:
        """The names that seem to be set on the lines after the first of the value."""
        later = self.binding.original.string.strip().splitlines()[1:]
        return [text.partition("=")[0].removeprefix("export ").strip().upper() for text in later]


def _mistakes(lines: list[_Line], ours: set[str]) -> Iterator[tuple[int, str]]:
    first: dict[str, int] = {}
    for line in lines:
        name = line.name
        if line.binding.error:
            yield line.number, "not NAME=value: is a quote left open, or text after a closing one?"
        elif (name in ours and line.swallowed) or ours.intersection(line.swallowed):
            last = line.number + len(line.swallowed)
            yield line.number, f"{name} goes on to line {last}: is a quote left open?"
        elif name in ours and line.binding.value is None:
            yield line.number, f"{name} has no =: write {name}=…"
        elif name in ours and line.binding.value:
            if name in first:
                yield line.number, f"{name} is given twice, see line {first[name]}"
            first.setdefault(name, line.number)
