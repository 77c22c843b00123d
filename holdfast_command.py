"""The program `holdfast`: looks where `pipelines` would come from, and runs Holdfast's own.

The package's name is a common one. Python imports the first that it finds, and where PYTHONPATH or
an installation has another before ours, the program would run a stranger's code or end in an
ImportError that says nothing. So this module, whose name is nobody else's, looks before it imports.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

MISCONFIGURED = 2
"""The exit code of all that can't be used as it is."""


def main() -> None:
    """Run the command line; end with a sentence where `pipelines` is not the one beside this."""
    if fault := foreign_package():
        sys.stderr.write(f"holdfast: {fault}\n")
        sys.exit(MISCONFIGURED)
    from pipelines.cli import main as run  # noqa: PLC0415 - only now is it known to be ours

    run()


def foreign_package() -> str | None:
    """What is in the way of Holdfast's own package `pipelines`, as a sentence; None: nothing is."""
    own = Path(__file__).resolve().with_name("pipelines") / "__init__.py"
    found = find_spec("pipelines")
    where = found.origin if found else None
    if where and Path(where).resolve() == own:
        return None
    if not own.exists():
        return f"{own} is missing: install Holdfast again."
    return (
        f"{where or 'another package'} would be imported instead of {own.parent}, as both are"
        " called pipelines: take its folder out of PYTHONPATH, or install Holdfast into a virtual"
        " environment of its own."
    )


if __name__ == "__main__":
    main()
