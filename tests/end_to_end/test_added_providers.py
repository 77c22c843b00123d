"""Another provider is what docs/adding-a-provider.md says, and not a line more.

A copy of the project gets two, one by positions and one by cursors: the files under `added`, their
migrations, a name in two dictionaries each, and an example. All that runs is the copy's own: none
of it may know these providers.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from pipelines.paths import ROOT
from pipelines.providers.conformance import Conformance
from tests.commands.conftest import CODE, clean_around
from tests.end_to_end.documents import copy_project
from tests.patience import PATIENCE

ADDED = Path(__file__).with_name("added")
PACKAGE, STAND_INS = Path("pipelines/providers"), Path("pipelines/sandbox/providers")
VERSIONS = Path("sql/migrations/versions")
EXAMPLES = Path("targets.example.yaml")
MADE = {".venv", "__pycache__"}


class Addition(NamedTuple):
    """A provider to add: its two files, the names in them, and what else is written by hand."""

    name: str
    files: str  # of `added`, without _provider.py and _sandbox.py
    record: str
    stand_in: str
    dataset: str
    example: str


ADDITIONS = (
    Addition(
        "fourth",
        "positions",
        "FOURTH",
        "FourthSandbox",
        "fourth_holders",
        '\nfourth:\n  cron: "37 * * * *"\n  targets:\n    - token: gold\n',
    ),
    Addition(
        "made_up",
        "cursors",
        "MADE_UP",
        "VaultSandbox",
        "made_up_deeds",
        '\nmade_up:\n  cron: "47 * * * *"\n  targets:\n    - vault: main\n',
    ),
)
TARGETS = ["fourth:gold", "made_up:main"]

BEFORE = {
    "fourth:gold": [["ann", 5], ["bob", 3], ["cid", 2], ["dan", 1], ["eve", 1]],
    "made_up:main": [["d1", 9], ["d2", 2**70], ["d3", 4], ["d4", 1], ["d5", 1]],
}
AFTER = {
    "fourth:gold": [["ann", 5], ["bob", 7], ["dan", 1], ["eve", 1], ["fay", 6]],
    "made_up:main": [["d0", 2], ["d1", 9], ["d2", 2**70], ["d3", 3], ["d5", 1]],
}
CHANGES = [
    ("fourth:gold", "entered", "fay", "gold", None, 6),
    ("fourth:gold", "exited", "cid", "gold", 2, None),
    ("fourth:gold", "increased", "bob", "gold", 3, 7),
    ("made_up:main", "decreased", "main", "d3", 4, 3),
    ("made_up:main", "entered", "main", "d0", None, 2),
    ("made_up:main", "exited", "main", "d4", 1, None),
]
LARGEST = [
    ("fourth:gold", 1, "bob", "gold", 7),
    ("fourth:gold", 2, "fay", "gold", 6),
    ("made_up:main", 1, "main", "d2", 2**70),
    ("made_up:main", 2, "main", "d1", 9),
]


@dataclass
class Copy:
    """A copy of the project, and what runs in it."""

    folder: Path
    environment: dict[str, str]

    def python(self, *arguments: str) -> list[str]:
        return [sys.executable, *arguments]

    def run(self, *arguments: str) -> str:
        """What a process of the copy prints on stdout; AssertionError where it fails."""
        done = subprocess.run(
            self.python(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def holdfast(self, *arguments: str) -> str:
        return self.run("-c", CODE, *arguments)

    def add(self, addition: Addition) -> None:
        """What somebody does who adds a provider."""
        for folder, kind in ((PACKAGE, "provider"), (STAND_INS, "sandbox")):
            text = (ADDED / f"{addition.files}_{kind}.py").read_text()
            (self.folder / folder / f"{addition.name}.py").write_text(text)
        self.name_in(PACKAGE, addition.name, addition.record, after="(ALTURA")
        made = f"{addition.stand_in}()"
        self.name_in(
            STAND_INS, addition.name, addition.stand_in, after="(AlturaSandbox()", as_=made
        )
        with (self.folder / EXAMPLES).open("a") as examples:
            examples.write(addition.example)
        newest = max(file.name for file in (self.folder / VERSIONS).glob("*.py"))
        number = f"{int(newest.partition('_')[0]) + 1:04}"
        self.run("-m", "pipelines.warehouse.templates", addition.name, "--number", number)

    def name_in(self, package: Path, module: str, name: str, *, after: str, as_: str = "") -> None:
        """Import a name in a package's __init__, and add it to the dictionary there."""
        init = self.folder / package / "__init__.py"
        text = init.read_text()
        assert text.count(after) == 1
        first = next(line for line in text.splitlines() if line.startswith("from "))
        imported = f"from {'.'.join(package.parts)}.{module} import {name}\n{first}"
        text = text.replace(after, f"{after}, {as_ or name}").replace(first, imported, 1)
        init.write_text(text)

    @contextmanager
    def serving(self) -> Iterator[Callable[[dict[str, Any]], None]]:
        """The copy's sandbox, which its commands ask from now on; gives what shows rows there."""
        script = (ADDED / "serve.py").read_text()
        with subprocess.Popen(
            self.python("-c", script),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin
            assert process.stdout
            for name, url in json.loads(process.stdout.readline()).items():
                self.environment[f"{name.upper()}_BASE_URL"] = url
                self.environment[f"{name.upper()}_REQUESTS_PER_MINUTE"] = "60000"
                self.environment[f"{name.upper()}_PAGE_SIZE"] = "2"

            def show(rows: dict[str, Any]) -> None:
                assert process.stdin
                assert process.stdout
                print(json.dumps(rows), file=process.stdin, flush=True)
                assert process.stdout.readline() == "shown\n"

            yield show


def contents(folder: Path) -> dict[str, str]:
    """A digest of each file, without what running made."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not MADE.intersection(path.relative_to(folder).parts)
    }


@pytest.fixture
def copy(tmp_path: Path, empty_database_url: str) -> Copy:
    """The project's files, and an environment in which only they can be imported: the .venv names
    the folder for which it was made."""
    folder = copy_project(tmp_path / "project")
    apart = tmp_path / "apart"
    apart.mkdir()
    forget = f"import sys\nsys.path[:] = [path for path in sys.path if path != {str(ROOT)!r}]\n"
    (apart / "sitecustomize.py").write_text(forget)
    around = clean_around(tmp_path / "home") | {
        "PYTHONPATH": f"{folder}:{apart}",
        "DATABASE_URL": empty_database_url,
        "HOLDFAST_TARGETS": str(folder / EXAMPLES),
    }
    copy = Copy(folder, around)
    script = "import sys, pipelines; print(pipelines.__file__, *filter(None, sys.path), sep='\\n')"
    imported, *paths = copy.run("-c", script).splitlines()
    assert Path(imported) == folder / "pipelines" / "__init__.py"
    assert str(ROOT) not in paths, "the original can be imported, too"
    return copy


def test_a_provider_is_two_files_a_migration_and_its_names(
    copy: Copy, empty_database_url: str, tmp_path: Path
) -> None:
    before = contents(copy.folder)
    for addition in ADDITIONS:
        copy.add(addition)
    copy.holdfast("migrate")
    with copy.serving() as show:
        for rows in (BEFORE, AFTER):
            show(rows)
            taken = json.loads(copy.holdfast("snapshot", "--json", *TARGETS))
            shown = sorted((one["target"], one["proof"], one["rows"]) for one in taken)
            assert shown == [(target, "double_collect", 5) for target in TARGETS]
    check_marts(empty_database_url)
    check_report(copy, tmp_path / "report.html")
    check_audit(copy)
    check_conformance(copy)
    check_trial(copy, tmp_path / "trial.json")
    check_difference(before, contents(copy.folder))


def check_marts(url: str) -> None:
    """They name both providers, with what is held now and what changed."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:

        def ask(statement: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

        held = ask(
            "select target, holder, asset, quantity, share, provider from mart.holders_now"
            " order by target, holder, asset"
        )
        assert {(row[0], row[-1]) for row in held} == {
            ("fourth:gold", "fourth"),
            ("made_up:main", "made_up"),
        }
        assert [row[:4] for row in held] == [
            *(("fourth:gold", name, "gold", amount) for name, amount in AFTER["fourth:gold"]),
            *(("made_up:main", "main", name, amount) for name, amount in AFTER["made_up:main"]),
        ]
        assert held[0][4] == Decimal(5) / 20
        top = "select target, rank, holder, asset, quantity from mart.top_holders(2)"
        assert ask(top) == LARGEST
        changes = (
            "select target, kind, holder, asset, quantity_before, quantity_after from mart.changes"
            " order by target, kind"
        )
        assert ask(changes) == CHANGES
    engine.dispose()


def check_report(copy: Copy, page: Path) -> None:
    assert copy.holdfast("report", "--out", str(page)) == f"{page}\n"
    text = page.read_text()
    for said in ("Fourth", "Made-up vaults", "gold", "main", "bob", "d2"):
        assert said in text


def check_audit(copy: Copy) -> None:
    findings = json.loads(copy.holdfast("audit", "--json"))
    assert {one["dataset"] for one in findings} > {one.dataset for one in ADDITIONS}
    assert all(one["passed"] for one in findings)


def check_conformance(copy: Copy) -> None:
    number = sum(name.startswith("test_") for name in dir(Conformance))
    passed = copy.run("-c", (ADDED / "conform.py").read_text()).splitlines()
    assert passed == [f"{addition.name}: {number} passed" for addition in ADDITIONS]


def check_trial(copy: Copy, figures: Path) -> None:
    """A few walks of a world of each, which are too few to call it evidence: so the exit code is
    not looked at."""
    worlds = [f"{addition.name}-mixed" for addition in ADDITIONS]
    named = [part for world in worlds for part in ("--world", world)]
    kept = figures.with_suffix(".kept")
    asked = ["--walks", "70", "--processes", "1", "--kept", str(kept), "--json", str(figures)]
    asked += named
    copy.run("-c", f"from pipelines.trials.__main__ import main; main({asked!r})")
    for world in json.loads(figures.read_text()):
        worlds.remove(world["world"])
        assert world["proofs"]["double_collect"]["accepted"] >= 20
        assert not any(proof["wrong"] for proof in world["proofs"].values())
        assert world["naive"]["accepted"]
    assert not worlds


def check_difference(before: dict[str, str], after: dict[str, str]) -> None:
    """The copy has what the page says, and nothing else."""
    migrations = {name for name in after.keys() - before.keys() if Path(name).parent == VERSIONS}
    assert {Path(name).name[5:] for name in migrations} == {
        f"{addition.dataset}{end}" for addition in ADDITIONS for end in (".py", ".sql")
    }
    files = {
        str(folder / f"{addition.name}.py")
        for addition in ADDITIONS
        for folder in (PACKAGE, STAND_INS)
    }
    assert after.keys() - before.keys() == files | migrations
    assert before.keys() <= after.keys()
    changed = {name for name in before if after[name] != before[name]}
    inits = {str(folder / "__init__.py") for folder in (PACKAGE, STAND_INS)}
    assert changed == inits | {str(EXAMPLES)}
