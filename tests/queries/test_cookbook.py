"""The analyst's cookbook: every query of sql/queries on a world whose answers are known."""

import os
import re
import shlex
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from pipelines.analysis.frames import QUERIES, query
from pipelines.warehouse.embedded import find_binaries
from tests.conftest import Pipeline
from tests.queries.answer import Answer
from tests.queries.answers import ANSWERS

FILES = sorted(QUERIES.glob("*.sql"))
FEWEST = 24


def question(file: Path) -> str:
    return file.read_text().partition("\n")[0]


def statement(file: Path) -> str:
    return "".join(line for line in file.read_text().splitlines(True) if line[:2] != "--")


def parameters(file: Path) -> set[str]:
    """The names behind a colon; `::` is none."""
    return set(re.findall(r"(?<![:\w]):([a-z]\w*)", file.read_text()))


def as_documented(file: Path) -> dict[str, str]:
    """What the file says to give psql, as a shell would hand it over."""
    options = re.search(r"^-- With psql: (.*)$", file.read_text(), re.MULTILINE)
    words = shlex.split(options[1]) if options else []
    assert words[::2] == ["-v"] * (len(words) // 2)
    return dict(word.split("=", 1) for word in words[1::2])


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.query)
def test_a_query_answers_what_the_world_says(known_world: Pipeline, answer: Answer):
    with known_world.warehouse.transaction() as connection:
        connection.execute(sa.text("set transaction read only"))
        frame = query(connection, answer.query, **answer.parameters)
    rows = list(frame[answer.columns.split()].itertuples(index=False, name=None))
    assert rows == answer.rows


def test_every_query_has_an_answer_that_is_known():
    assert {answer.query for answer in ANSWERS} == {file.stem for file in FILES}
    assert len(FILES) >= FEWEST


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_query_begins_with_its_question_and_says_what_to_give_it(file: Path):
    assert re.fullmatch(r"-- [A-Z].*\?", question(file))
    assert set(as_documented(file)) == parameters(file)
    told = " ".join(line for line in file.read_text().splitlines() if line.startswith("--"))
    for name in parameters(file):
        assert re.search(rf"Parameters?: .*\b{name}\b.*With psql", told), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_query_is_one_statement_that_runs_with_psql_as_it_says(
    known_world: Pipeline, known_world_url: str, postgres_binaries: Path | None, file: Path
):
    url = make_url(known_world_url)
    place = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    given = [
        word for name, value in as_documented(file).items() for word in ("-v", f"{name}={value}")
    ]
    psql = find_binaries(postgres_binaries) / "psql"
    read_only = "-c default_transaction_read_only=on"
    done = subprocess.run(
        [psql, "-X", "-v", "ON_ERROR_STOP=1", *given, "-d", str(place), "-f", str(file)],
        env=os.environ | {"PGPASSWORD": str(url.password or ""), "PGOPTIONS": read_only},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"^\(\d+ rows?\)$", done.stdout, re.MULTILINE)) == 1
    assert statement(file).count(";") == 1


def test_the_list_of_questions_names_every_query():
    listed = re.findall(r"^\| (.*?) \| \[`(\w+)`\]\((\w+)\.sql\) \|$", listing(), re.MULTILINE)
    assert [(name, link) for _, name, link in listed] == [(name, name) for _, name, _ in listed]
    assert {name: asked for asked, name, _ in listed} == {
        file.stem: question(file).removeprefix("-- ") for file in FILES
    }
    assert len(listed) == len(FILES)


def listing() -> str:
    return (QUERIES / "README.md").read_text()


def test_the_notebook_example_runs(known_world: Pipeline, monkeypatch: pytest.MonkeyPatch):
    [example] = re.findall(r"```python\n(.*?)```", listing(), re.DOTALL)
    url = known_world.runtime.settings.database_url.get_secret_value()
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.chdir(QUERIES.parents[1])
    names: dict[str, object] = {}
    exec(example, names)
    assert {type(amount) for amount in names["frame"]["amount"]} == {Decimal}
    names["engine"].dispose()
