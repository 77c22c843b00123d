"""Reads the examples of a document, and runs them as a person would.

A block of kind `console` holds commands, behind `$ `, and below each what it prints: `…` stands for
any text, a line of `…` alone for any lines. Where nothing stands below, the command has to succeed.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.paths import ROOT
from tests.commands.conftest import CODE
from tests.patience import PATIENCE, wait_until
from tests.warm.processes import WarmPython

KINDS = {"console", "sql", "yaml", "mermaid", "text"}
"""What a block may be; commands in a block of another kind would go unchecked."""

FOREGROUND = ("make up", "holdfast up", "holdfast --demo up", "holdfast sandbox serve")
"""Commands that run until they are told to stop: they have to print what is shown, and go on."""


@dataclass(frozen=True)
class Step:
    """A command and the lines that it is said to print."""

    command: str
    expected: tuple[str, ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        parts = []
        for line in self.expected:
            if line.strip() == "…":
                parts.append(r"(?:.*\n)*?")
            else:
                parts.append(re.escape(_even(line)).replace("…", ".*") + r"\n")
        return re.compile("".join(parts))

    def is_told_by(self, output: str) -> bool:
        lines = (_even(line) for line in output.splitlines())
        text = "".join(f"{line}\n" for line in lines if line)
        return bool(self.pattern.fullmatch(text)) if self.expected else True


def _even(line: str) -> str:
    """A line without what the width of a table's columns makes of it."""
    return re.sub("─+", "─", re.sub(r"\s+", " ", line)).strip()


def blocks(document: Path) -> Iterator[tuple[str, str]]:
    """Kind and text of each fenced block."""
    for found in re.finditer(
        r"^```(\w*)\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL
    ):
        yield found[1], found[2]


def steps(document: Path) -> list[Step]:
    found: list[Step] = []
    for kind, text in blocks(document):
        if kind != "console":
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *printed = part.splitlines()
            while command.endswith("\\"):
                command = command[:-1] + printed.pop(0)
            expected = tuple(line for line in printed if line.strip())
            found.append(Step(command, expected))
    return found


@dataclass
class Shell:
    """A copy of the project, and a shell in it that remembers what it exported."""

    folder: Path
    environment: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, step: Step) -> None:
        """Run a step; AssertionError with what was printed where that is not what is said."""
        if step.command.startswith(FOREGROUND):
            self._start(step)
            return
        state = self.folder / ".shell"
        remembering = (
            f"[ -f {state} ] && . {state}; {step.command}\ncode=$?; export -p > {state}; exit $code"
        )
        done = subprocess.run(
            ["bash", "-c", remembering],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"$ {step.command}\n{done.stdout}"
        assert step.is_told_by(done.stdout), _difference(step, done.stdout)

    def _start(self, step: Step) -> None:
        printed = self.folder / f".printed-{len(self.running)}"
        with printed.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {step.command}"],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.running.append(process)

        def told() -> bool:
            printing = process.poll() is None
            text = printed.read_text()
            assert printing or step.is_told_by(text), f"$ {step.command} ended:\n{text}"
            return step.is_told_by(text)

        wait_until(told, f"what $ {step.command} is said to print; see {printed}")

    def warm_up(self, warm_python: WarmPython) -> None:
        """Have `holdfast` run in warm processes, with the code of this copy: for bash, a function
        goes before a program, and a variable of this name is one."""
        ours = f"import sys; sys.path.insert(0, {str(self.folder)!r}); {CODE}"
        command = shlex.join(warm_python.command(ours))
        self.environment["BASH_FUNC_holdfast%%"] = f'() {{ {command} "$@"\n}}'

    def close(self) -> None:
        for process in self.running:
            process.terminate()
            process.wait(PATIENCE)


def _difference(step: Step, printed: str) -> str:
    expected = "\n".join(step.expected)
    return f"$ {step.command}\nis said to print\n{expected}\nand prints\n{printed}"


def copy_project(folder: Path) -> Path:
    """The project's files without what was made by running it; what its .venv holds is ours."""
    made = shutil.ignore_patterns(
        *(".git", ".venv", ".holdfast", "logs", ".env", "__pycache__", ".*_cache", ".hypothesis"),
        *("targets.yaml", "dist"),
        ".scratch",  # the benchmarks' data, gigabytes while they run
    )
    shutil.copytree(ROOT, folder, ignore=made)
    (folder / ".venv").mkdir()
    for part in (ROOT / ".venv").iterdir():
        (folder / ".venv" / part.name).symlink_to(part)
    installed = folder / ".venv" / ".installed"
    installed.unlink(missing_ok=True)
    installed.write_text(f"{folder}\n")
    return folder
