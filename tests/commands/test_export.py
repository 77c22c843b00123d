"""`holdfast export`, as a person or a script runs it."""

import csv
import io
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg import sql
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.errors import ConfigurationError
from tests.analysis.small_world import ITEM_LABEL, LARGEST, WALLET, SmallWorld, small_world
from tests.commands.conftest import CODE, COMMAND, Holdfast, clean_around, holdfast_in
from tests.commands.test_terminal import complete, run_on_a_terminal
from tests.patience import PATIENCE, wait_until
from tests.warm.processes import WarmPython

FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def told(create_database, migrated_template, tmp_path_factory) -> Iterator[SmallWorld]:
    with small_world(create_database, migrated_template, tmp_path_factory.mktemp("told")) as world:
        yield world


@pytest.fixture
def surrounding(told: SmallWorld, tmp_path) -> dict[str, str]:
    return clean_around(tmp_path) | {"DATABASE_URL": told.url}


@pytest.fixture
def holdfast(surrounding, warm_python: WarmPython) -> Holdfast:
    return holdfast_in(surrounding, warm_python)


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


def test_a_file_has_what_was_asked_for_and_its_format_by_its_name(holdfast, told, tmp_path):
    first, second = (one.snapshot_at.isoformat() for one in told.of_item)
    file = tmp_path / "then.parquet"
    asked = ["holders", "--as-of", first, "--target", ITEM_LABEL, "-o", str(file)]
    done = holdfast("export", *asked, "--without-decimals")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"mart.holders_as_of: 12 rows in {file}" in done.stderr
    assert pq.read_table(file).num_rows == 12
    done = holdfast("export", "changes", "--between", first, second, "--format", "csv")
    [change] = csv.DictReader(io.StringIO(done.stdout))
    assert (change["label"], change["kind"], change["delta"]) == (ITEM_LABEL, "decreased", "-1")
    assert parts(tmp_path) == []


def test_quantities_that_no_decimal_holds_are_refused_with_the_option_that_takes_them(
    holdfast, told, tmp_path
):
    file = tmp_path / "holders.parquet"
    asked = ["export", "holders", "--target", ITEM_LABEL, "--out", str(file)]
    refused = holdfast(*asked)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "mart.holders_now: quantity_decimal has room for 31 digits" in refused.stderr
    assert f"a value of '{ITEM_LABEL}' has 78 and 0. Leave the decimals out" in refused.stderr
    assert list(tmp_path.glob("holders.parquet*")) == []
    assert holdfast(*asked, "--without-decimals").returncode == 0
    read = pq.read_table(file)
    assert "quantity_decimal" not in read.column_names
    assert str(LARGEST - 1) in read.column("quantity").to_pylist()


def test_a_file_that_is_there_is_replaced_on_demand_only(holdfast, tmp_path):
    file = tmp_path / "targets.csv"
    file.write_text("mine")
    refused = holdfast("export", "targets", "--out", str(file))
    assert (refused.returncode, file.read_text()) == (2, "mine")
    assert f"{file} is there already: --force replaces it" in refused.stderr
    assert holdfast("export", "targets", "--out", str(file), "--force").returncode == 0
    assert len(file.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["holder"], "no 'holder' to export; did you mean holders or top_holders or"),
        (["cohorts", "--as-of", "2026-11-01T00:00Z"], "cohorts does not go with --as-of"),
        (["holders", "--as-of", "2026-11-01"], "could be meant in any time zone"),
        (["holders", "--as-of", "yesterday"], "'yesterday' is no moment: expected ISO 8601"),
        (
            ["changes", "--between", "2026-11-01T00:00Z", "2026-10-01T00:00Z"],
            "takes the earlier moment first",
        ),
        (["holders", "--target", "the item"], "no target 'the item'; did you mean The item"),
        (["top_holders"], "top_holders needs --limit NUMBER"),
        (["holder_history", "--target", ITEM_LABEL], "holder_history needs --holder ADDRESS"),
        (["holders", "--limit", "3"], "holders does not go with --limit; these do: top_holders"),
        (
            ["top_holders", "--limit", "3", "--as-of", "2026-11-01T00:00Z"],
            "top_holders does not go with --as-of",
        ),
        (["holders", "--format", "xlsx"], "'xlsx' is none of csv, parquet"),
        (["holders", "--out", "/dev/null", "--force"], "/dev/null is no file"),
        (["holders", "--format", "parquet", "--safe-for-spreadsheets"], "is for CSV"),
        (["holders", "--without-decimals"], "--without-decimals is for Parquet"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_can_not_be_exported_is_refused_with_what_can(surrounding, arguments, message):
    done = CliRunner().invoke(app, ["export", *arguments], env=surrounding)
    assert done.stdout == ""
    assert isinstance(done.exception, ConfigurationError)
    assert message in str(done.exception)


def test_no_snapshot_by_then_is_told(holdfast):
    done = holdfast("export", "holders", "--as-of", "2020-01-01T00:00Z")
    assert len(done.stdout.splitlines()) == 1
    assert "0 rows in stdout" in done.stderr
    assert "Was there a snapshot by then?" in done.stderr


def test_the_largest_holders_and_all_that_one_did(holdfast, told, tmp_path):
    done = holdfast("export", "top_holders", "--limit", "2", "--target", ITEM_LABEL)
    first, _ = csv.DictReader(io.StringIO(done.stdout))
    assert (first["rank"], first["holder"]) == ("1", WALLET)
    assert "mart.top_holders: 2 rows in stdout" in done.stderr
    refused = holdfast("export", "top_holders", "--limit", str(2**31))
    assert (refused.returncode, refused.stdout) == (2, "")
    file = tmp_path / "wallet.parquet"
    asked = ["holder_history", "--holder", WALLET, "--out", str(file)]
    assert holdfast("export", *asked, "--without-decimals").returncode == 0
    assert pq.read_table(file).column("kind").to_pylist() == ["first seen", "decreased"]
    unknown = holdfast("export", "holder_history", "--holder", "0xabc", "--target", ITEM_LABEL)
    assert len(unknown.stdout.splitlines()) == 1
    assert "That holder was never seen in that target." in unknown.stderr


def test_a_full_disk_is_told_and_leaves_no_file(surrounding, warm_python, tmp_path):
    file = tmp_path / "holders.parquet"
    asked = f"export holders --without-decimals --out {file}"
    limited = f"ulimit -f 1; exec {' '.join(map(repr, COMMAND))} {asked}"
    done = subprocess.run(
        ["bash", "-c", limited], env=surrounding, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"{file} can't be written: File too large" in done.stderr
    assert not file.exists()
    assert parts(tmp_path) == []


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_stdout_that_is_full_is_told(surrounding, warm_python):
    with FULL.open("wb") as full:
        done = subprocess.run(
            [*warm_python.command(CODE), "export", "holders"],
            env=surrounding,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "stdout can't be written: No space left on device" in done.stderr


@contextmanager
def held_up(told: SmallWorld, table: str) -> Iterator[None]:
    """Whoever reads the table waits until the end of the block."""
    with psycopg.connect(told.url.replace("+psycopg", "")) as holding:
        holding.execute(sql.SQL("lock table {}").format(sql.Identifier(table)))
        yield


@pytest.fixture
def begun(surrounding, warm_python, tmp_path):
    """begun(…) → an export to a file that has a part there, and so waits for a table."""

    def begin(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*warm_python.command(CODE), "export", *arguments],
            env=surrounding,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: parts(tmp_path), "the part of the export")
        return process

    return begin


@pytest.mark.parametrize(
    ("number", "code", "left"),
    [
        (signal.SIGKILL, -9, 1),
        (signal.SIGTERM, -15, 0),
        (signal.SIGHUP, -1, 0),
        (signal.SIGINT, 130, 0),
    ],
)
def test_one_that_is_ended_leaves_nothing_under_the_name_and_no_part_that_stays(
    holdfast, begun, told, tmp_path, number, code, left
):
    file = tmp_path / "holders [1].csv"
    others = [
        tmp_path / f"{name}.0123abcd.part" for name in ("holders 1.csv", "my holders [1].csv")
    ]
    with held_up(told, "target"):
        process = begun("holders", "--out", str(file))
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert not file.exists()
    assert len(parts(tmp_path)) == left
    for other in others:
        other.touch()
    assert holdfast("export", "holders", "--out", str(file)).returncode == 0
    assert sorted(parts(tmp_path)) == sorted(others)


def test_two_that_write_the_same_file_at_once_leave_each_other_alone(
    holdfast, begun, told, tmp_path
):
    file = tmp_path / "one.csv"
    with held_up(told, "catenis_asset_holders_current"):
        slow = begun("holders", "--out", str(file), "--force")
        [part] = parts(tmp_path)
        assert holdfast("export", "snapshots", "--out", str(file)).returncode == 0
        assert file.read_text().startswith("provider,target_id,target,label,snapshot_id,")
        assert parts(tmp_path) == [part]
    slow.communicate(timeout=PATIENCE)
    assert slow.returncode == 0
    assert file.read_text().startswith("provider,target_id,target,label,holder,")
    assert parts(tmp_path) == []


def test_a_terminal_is_shown_names_that_it_does_not_obey(surrounding, warm_python):
    command = [*warm_python.command(CODE), "export", "altura_item_holders"]
    written = run_on_a_terminal(command, surrounding | {"TERM": "xterm-256color"})
    assert "\\x1b[2J\\u202etxt" in written
    assert "\x1b[2J" not in written
    refused = run_on_a_terminal([*command, "--format", "parquet"], surrounding)
    assert "nothing for a terminal: say --out FILE" in refused


def test_a_reader_that_has_seen_enough_makes_no_noise(surrounding, warm_python):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run(
            [*warm_python.command(CODE), "export", "holders"],
            env=surrounding,
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "")


def test_the_shell_completes_names_and_formats(holdfast):
    surrounding = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    assert complete(holdfast, ["export", "holders"], **surrounding) == ["holders", "holders_now"]
    words = ["export", "holders", "--format", "p"]
    assert complete(holdfast, words, **surrounding) == ["parquet"]
    assert complete(holdfast, ["export", "top"], **surrounding) == ["top_holders"]
    words = ["export", "holder_history", "--ho"]
    assert complete(holdfast, words, **surrounding) == ["--holder"]
