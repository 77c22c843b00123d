"""No secret comes up anywhere, however a run fails: in no output, event, log, table, file, page or
process list. Every failure repeats what was sent, as careless servers do."""

import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.server import Sandbox
from pipelines.settings import Settings
from pipelines.variables import variables
from pipelines.warehouse.migrate import migrate
from tests.commands.conftest import CODE, COMMAND, SETTINGS
from tests.patience import PATIENCE, wait_until
from tests.security.canaries import Canaries, clean, command_lines, echo
from tests.security.conftest import connect

KINDS = (Settings, *(provider.settings_type for provider in PROVIDERS.values()))
SECRET = [variable.name for kind in KINDS for variable in variables(kind) if variable.secret]

Fault = Callable[[Exchange], Answer | None]


def hang_up(exchange: Exchange) -> Answer | None:
    raise ConnectionError


FAULTS: dict[str, Fault] = {
    "refused": lambda exchange: echo(exchange, 401),
    "malformed": lambda exchange: echo(exchange, 200),
    "redirected": lambda exchange: echo(exchange, 302),
    "failing": lambda exchange: echo(exchange, 500),
    "too many": lambda exchange: echo(exchange, 429),
    "gone": hang_up,
}

RUN_IN_DAGSTER = """
import dagster as dg
from pipelines.definitions import defs
with dg.DagsterInstance.get() as instance:
    for job in ("altura", "hiro", "catenis"):
        defs.resolve_job_def(f"{job}_snapshots").execute_in_process(
            instance=instance, raise_on_error=False
        )
"""

QUESTION = """
{ runsOrError { ... on Runs { results { runId runConfigYaml tags { key value } eventConnection {
    events { __typename ... on MessageEvent { message }
      ... on ExecutionStepFailureEvent { error { message stack cause { message stack } } } } } } } }
  assetNodes { assetKey { path } description metadataEntries { label description
    ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr }
    ... on UrlMetadataEntry { url } } }
  instance { info daemonHealth { id } } }
"""


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def database(canaries: Canaries, prefix: str, admin_url: str) -> URL:
    """A migrated database, as somebody whose password is a canary."""
    login = make_url(admin_url).set(
        username=f"{prefix}admin", password=canaries.plant("DATABASE_URL")
    )
    with connect(admin_url) as admin:
        name, password = sql.Identifier(login.username), sql.Literal(login.password)
        admin.execute(sql.SQL("create role {} login password {}").format(name, password))
        admin.execute(sql.SQL("grant create on schema public to {}").format(name))
        own = sql.Identifier(make_url(admin_url).database)
        admin.execute(sql.SQL("grant create on database {} to {}").format(own, name))
    migrate(login.render_as_string(hide_password=False))
    return login


@pytest.fixture
def settings(environment, canaries: Canaries, database: URL, tmp_path: Path) -> dict[str, str]:
    """Every setting, with a canary in each that is secret."""
    planted = {name: canaries.plant(name) for name in SECRET if name != "DATABASE_URL"}
    once = {f"{name.upper()}_MAX_TRIES": "1" for name in PROVIDERS}
    url = {"DATABASE_URL": database.render_as_string(hide_password=False)}
    return clean(SETTINGS) | environment | planted | once | url | {"HOLDFAST_HOME": str(tmp_path)}


def run(arguments: list[str], settings: dict[str, str]) -> bytes:
    """All that a process says; the process list while it runs is looked at by the sandbox."""
    done = subprocess.run(
        arguments,
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout


def answering(canaries: Canaries, faults: dict[str, str]) -> Fault:
    """Each provider fails in its way, and what is sent to it is kept."""

    def before(exchange: Exchange) -> Answer | None:
        canaries.watch(exchange)
        return FAULTS[faults[exchange.provider]](exchange)

    return before


def test_every_setting_that_is_secret_is_known_to_be():
    assert set(SECRET) == {"DATABASE_URL", "ALTURA_API_KEY", "HIRO_API_KEY", "CATENIS_API_SECRET"}


@pytest.mark.parametrize("turn", range(3))
def test_a_provider_that_repeats_what_was_sent_makes_no_secret_come_up(
    sandbox: Sandbox, canaries, settings, database, tmp_path, turn
):
    names = list(FAULTS)
    faults = {
        provider: names[(2 * turn + place) % len(names)] for place, provider in enumerate(PROVIDERS)
    }
    sandbox.before_response = answering(canaries, faults)
    said = run([*COMMAND, "--debug", "-v", "snapshot"], settings)
    url = database.render_as_string(hide_password=False)
    assert b"0 of 3 targets published" in said, said.decode()
    assert canaries.signatures
    assert canaries.found_in(said) == [], said.decode()
    assert canaries.found_in(b"\n".join(canaries.told_to_processes)) == []
    assert canaries.found_in("\n".join(served.target for served in sandbox.log).encode()) == []
    assert canaries.found_in_tables(url) == {}
    assert canaries.found_in_files(tmp_path) == {}
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        assert connection.execute("select count(*) from walk_failure").fetchone() == (3,)


def test_a_database_that_can_not_be_used_makes_no_secret_come_up(
    canaries, settings, database, warm_python
):
    wrong = database.set(password=canaries.plant("a wrong password"))
    nowhere = database.set(port=1, host="127.0.0.1")
    known = database.password
    urls = [
        wrong.render_as_string(hide_password=False),
        nowhere.render_as_string(hide_password=False),
        f"postgresql://{database.username}:{known}@{database.host}:{database.port}/x",
        f"postgresql://{database.username}:canary@{database.host}:port-{known}/x",
        f"mysql://{database.username}:{known.replace('@', '%40')}@{database.host}/x",
        f"postgresql:{known}",
    ]
    for url in urls:
        for command in ("snapshot", "status"):
            arguments = [*warm_python.command(CODE), "--debug", "-v", command]
            said = run(arguments, settings | {"DATABASE_URL": url})
            assert said
            assert canaries.found_in(said) == [], said.decode()


def test_a_run_in_dagster_and_its_pages_show_no_secret(
    sandbox: Sandbox, canaries, settings, database, tmp_path
):
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    settings |= {"DAGSTER_HOME": str(home)}
    faults = {"altura": "refused", "hiro": "malformed", "catenis": "refused"}
    sandbox.before_response = answering(canaries, faults)
    said = run([sys.executable, "-c", RUN_IN_DAGSTER], settings)
    wrong = database.set(password=canaries.plant("a wrong password"))
    refused = {"DATABASE_URL": wrong.render_as_string(hide_password=False)}
    said += run([sys.executable, "-c", RUN_IN_DAGSTER], settings | refused)
    assert said.count(b"RUN_FAILURE") == 6, said.decode()
    pages = _pages(settings, canaries)
    assert b"does not let us in" in pages
    assert b"answered 401" in pages
    assert canaries.signatures
    assert canaries.found_in(said) == [], said.decode()
    assert canaries.found_in(pages) == [], pages.decode()
    assert canaries.found_in(b"\n".join(canaries.told_to_processes)) == []
    assert canaries.found_in_files(tmp_path) == {}
    assert canaries.found_in_tables(database.render_as_string(hide_password=False)) == {}


def _pages(settings: dict[str, str], canaries: Canaries) -> bytes:
    """What Dagster's webserver answers to a browser and to GraphQL, with its own output."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ["-h", "127.0.0.1", "-p", str(port), "-m", "pipelines.definitions"]
    command = [str(Path(sys.executable).with_name("dagster-webserver")), *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as serving:
        try:
            page = _fetch(f"http://127.0.0.1:{port}/", serving)
            question = urllib.parse.urlencode({"query": QUESTION})
            told = _fetch(f"http://127.0.0.1:{port}/graphql?{question}", serving)
            canaries.told_to_processes.update(command_lines())
        finally:
            serving.terminate()
            said = serving.communicate(timeout=PATIENCE)[0]
    assert b'"errors"' not in told[:100], told.decode()
    return page + told + said


def _fetch(url: str, serving: subprocess.Popen[bytes]) -> bytes:
    told: list[bytes] = []

    def answered() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                told.append(answer.read())
        except urllib.error.HTTPError as error:
            told.append(error.read())
        except OSError:
            assert serving.poll() is None, serving.stdout.read().decode()
        return bool(told)

    wait_until(answered, f"{url} to answer")
    return told[0]


def test_the_password_of_the_own_server_is_in_its_files_alone(
    sandbox: Sandbox, canaries, settings, tmp_path, warm_python
):
    own = settings | {"DATABASE_URL": ""}
    canaries.planted.pop("DATABASE_URL")
    sandbox.before_response = answering(canaries, dict.fromkeys(PROVIDERS, "refused"))
    try:
        said = run([*COMMAND, "--debug", "-v", "snapshot"], own)
        meant = tuple((tmp_path / "postgres").glob("*password*"))
        assert meant
        for file in meant:
            canaries.planted[file.name] = file.read_text().strip()
        said += run([*COMMAND, "--debug", "-v", "status"], own)
        said += run([*warm_python.command(CODE), "postgres", "status"], own)
        assert canaries.found_in(b"\n".join(command_lines())) == []
    finally:
        said += run([*warm_python.command(CODE), "postgres", "stop"], own)
    assert canaries.found_in(said) == [], said.decode()
    assert canaries.found_in(b"\n".join(canaries.told_to_processes)) == []
    assert canaries.found_in_files(tmp_path, but=meant) == {}
    assert {file.stat().st_mode & 0o077 for file in meant} == {0}
