"""The program `holdfast` beside another package that is called `pipelines`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.paths import ROOT

PROGRAM = [str(Path(sys.executable).with_name("holdfast")), "--version"]
MODULE = [sys.executable, "-m", "holdfast_command", "--version"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A company's own folder."""
    made = tmp_path / "company"
    made.mkdir()
    return made


def run(command: list[str], at: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    surrounding = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command,
        cwd=at,
        env=surrounding | ({"PYTHONPATH": path} if path else {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("file", ["pipelines/__init__.py", "pipelines.py"])
@pytest.mark.parametrize(
    ("command", "on_path"), [(PROGRAM, True), (MODULE, False)], ids=["PYTHONPATH", "python -m"]
)
def test_one_that_would_be_imported_first_is_named_and_not_run(
    folder: Path, file: str, command: list[str], on_path: bool
) -> None:
    foreign = folder / file
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("print('run')\n")
    done = run(command, folder, str(folder) if on_path else "")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"holdfast: {foreign} would be imported instead of {ROOT}/pipelines, as both are called"
        " pipelines: take its folder out of PYTHONPATH, or install Holdfast into a virtual"
        " environment of its own.\n"
    )


def test_one_that_is_only_near_does_not_matter(folder: Path) -> None:
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    done = run(PROGRAM, folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_of_that_name_without_python_in_it_does_not_matter(folder: Path) -> None:
    (folder / "pipelines").mkdir()
    assert run(PROGRAM, folder, str(folder)).returncode == 0


def test_an_installation_that_lost_its_package_says_so(tmp_path: Path) -> None:
    alone = tmp_path / "holdfast_command.py"
    alone.write_text((ROOT / "holdfast_command.py").read_text())
    done = run([sys.executable, str(alone)], tmp_path)
    assert done.returncode == 2
    assert "__init__.py is missing: install Holdfast again." in done.stderr
