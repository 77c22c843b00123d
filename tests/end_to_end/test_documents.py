"""Every command in the README and in docs/ is run, and prints what the text says: the README's with
the program that people have, the others' in warm processes.

The examples name the vendors' own targets, which no sandbox has: ids of the sandbox's world stand
in for them, and for the schedules shown stand some without a tick in the next half hour. `make
test` and its like are this very suite: here they only have to exist.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.paths import ROOT
from pipelines.sandbox.providers.catenis import ISSUER, ISSUER_SECRET
from pipelines.sandbox.world import World
from tests.commands.conftest import ALL_SETTINGS
from tests.end_to_end.documents import KINDS, Shell, Step, blocks, copy_project, steps
from tests.warm.processes import WarmPython

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_HERE = ("make test", "make lint", "make clean", "make format", "make constraints", "make docs")
CANDY = "SPQZF23W7SEYBFG5JQ496NMY0G7379SRYEDREMSV.Candy::candy"
VALUE = ("0x0100000000000000000000000000000001", "u1")


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.fixture
def stand_ins(world: World) -> dict[str, str]:
    """Ids in the documents, and those of the sandbox's world that stand in for them; so for the
    schedules, of which a tick would make targets late in the middle of a document."""
    quiet = (datetime.now(UTC).minute + 55) % 60
    item = world.add_altura_item(30).removeprefix("altura:")
    principal = world.add_hiro_principal(20)
    world.hiro_mint(principal, CANDY, *VALUE)
    return {
        "0x0123456789abcdef0123456789abcdef01234567 token_id=1": item.replace("/", " token_id="),
        "SP318Q55DEKHRXJK696033DQN5C54D9K2EE6DHRWP": principal.removeprefix("hiro:"),
        "aQjlzShmrnEZeeYBZihc": world.add_catenis_asset(30).removeprefix("catenis:"),
        **{f"{minute} * * * *": f"{quiet} * * * *" for minute in (17, 27)},
    }


@pytest.fixture
def shell(
    tmp_path: Path,
    sandbox,
    stand_ins: dict[str, str],
    empty_database_url: str,
    warm_python: WarmPython,
) -> Iterator[Shell]:
    folder = copy_project(tmp_path / "holdfast")
    example = folder / "targets.example.yaml"
    (folder / "targets.yaml").write_text(_replaced(example.read_text(), stand_ins))
    clean = {key: value for key, value in os.environ.items() if not key.startswith(ALL_SETTINGS)}
    urls = {f"{provider.upper()}_BASE_URL": url for provider, url in sandbox.urls.items()}
    environment = {
        **clean,
        **urls,
        "HIRO_REQUESTS_PER_MINUTE": "6000",
        "CATENIS_DEVICE_ID": ISSUER,
        "CATENIS_API_SECRET": ISSUER_SECRET,
        "DATABASE_URL": empty_database_url,
        "PYTHONPATH": str(folder),
        "HOME": str(tmp_path),
        "COLUMNS": "100",
    }
    opened = Shell(folder, environment)
    yield opened
    opened.close()
    opened.warm_up(warm_python)
    for command in ("holdfast down", "holdfast --demo down"):
        opened.run(Step(command, ()))


def _replaced(text: str, stand_ins: dict[str, str]) -> str:
    for id_in_document, id_in_world in stand_ins.items():
        text = text.replace(id_in_document, id_in_world)
    return text


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_block_holds_commands_that_are_not_run(document: Path) -> None:
    for kind, text in blocks(document):
        assert kind in KINDS, f"{name(document)}: a block of kind {kind!r}:\n{text}"


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if steps(one)], ids=name)
def test_every_command_prints_what_the_text_says(
    document: Path, shell: Shell, stand_ins: dict[str, str], warm_python: WarmPython
) -> None:
    if document.name != "README.md":
        shell.warm_up(warm_python)
        shell.run(Step("holdfast migrate", ()))
    for step in steps(document):
        command = _replaced(step.command, stand_ins)
        if command.startswith(NOT_HERE):
            shell.run(Step(command.replace("make", "make -n", 1), ()))
        else:
            shell.run(Step(command, tuple(_replaced(line, stand_ins) for line in step.expected)))


@pytest.mark.parametrize(
    ("expected", "printed", "told"),
    [
        (["done"], "done\n", True),
        (["done"], "dome\n", False),
        (["done"], "done\nand more\n", False),
        (["a …", "…", "z"], "a b\n\nany\nlines\nz\n", True),
        (["a …", "…", "z"], "a b\nany\nlines\n", False),
        ([" name   rows", " ─────"], "name rows\n──────────\n", True),
        ([], "anything\n", True),
    ],
)
def test_what_is_not_printed_as_the_text_says_is_noticed(
    expected: list[str], printed: str, told: bool
) -> None:
    assert Step("true", tuple(expected)).is_told_by(printed) is told


def test_a_command_that_fails_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no such thing"):
        Shell(tmp_path, dict(os.environ)).run(Step("echo no such thing; exit 3", ()))
