"""Where files are: those that come with Holdfast, and those of the person who works with it.

What comes with it (sql/, dagster.yaml, the lists of targets) lies beside the package in a checkout.
A wheel holds it inside the package, since site-packages belongs to all that is installed there.
What a person writes or gets (targets.yaml, .env, .holdfast) lies in the working folder and never
in an installation, which the next `pip install` replaces.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The folder that the package is imported from: a checkout's, or an installation's site-packages.
What the program reads there is found by `shipped`, what it writes by `working_folder`."""

_INSIDE = Path(__file__).resolve().with_name("shipped")
"""Where hatch_build.py puts what comes with Holdfast; a checkout has no such folder."""

REPORT_FILE = "report.html"
"""The page that Dagster writes anew after snapshots, in the state folder."""


OURS_ALONE = 0o077
"""The umask of Holdfast's processes: what they write holds data, logs and passwords."""
_persons_umask: int | None = None


def write_for_us_alone() -> None:
    """Let nobody else read what this process writes from now on, and what those write that it
    starts."""
    global _persons_umask  # noqa: PLW0603 - as is the umask
    before = os.umask(OURS_ALONE)
    _persons_umask = before if _persons_umask is None else _persons_umask


def persons_umask() -> int:
    """The umask that the process was started with: what a person asks for is for whom they like."""
    if _persons_umask is None:
        os.umask(before := os.umask(OURS_ALONE))
        return before
    return _persons_umask


def make_enterable(folder: Path) -> None:
    """Make a state folder, where it is missing. Its names can't be listed by others, but the user
    that Postgres runs as, where that is another, can pass through to its own files."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in made:
        each.chmod(0o711)


def shipped(name: str) -> Path:
    """A file or folder that comes with Holdfast, by its path in the project, such as sql/marts."""
    return (_INSIDE if _INSIDE.is_dir() else ROOT) / name


def working_folder() -> Path:
    """The folder of targets.yaml, .env and .holdfast, which relative paths count from.

    For a checkout it is the checkout, wherever a process was started, so that a cron job and a
    person mean the same data. For an installed wheel it is the current folder; the processes that
    `holdfast up` starts inherit it.
    """
    return Path.cwd() if _INSIDE.is_dir() else ROOT
