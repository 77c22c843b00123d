"""The built wheel, installed where nothing of the checkout is in reach, works in an empty folder.

The virtual environment is made without pip and finds the libraries of the one that the tests run
in: a `.pth` file names their folder. Python reads no `.pth` files of a folder that one names, so
the editable install of the checkout, which is such a file, is not seen.
"""

import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.paths import ROOT
from pipelines.sandbox.providers.catenis import ISSUER, ISSUER_SECRET
from pipelines.sandbox.world import World
from pipelines.service.processes import marked
from pipelines.warehouse import embedded
from tests.commands.conftest import ALL_SETTINGS

Finished = subprocess.CompletedProcess[str]
pytestmark = pytest.mark.wheel  # a minute: make test-wheel
WHERE = "import json, pipelines, sys; print(json.dumps([pipelines.__file__, sys.path]))"


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel in it."""

    folder: Path

    @property
    def packages(self) -> Path:
        paths = {"base": str(self.folder), "platbase": str(self.folder)}
        return Path(sysconfig.get_path("purelib", "venv", paths))

    @property
    def environment(self) -> dict[str, str]:
        """Nothing that leads to the checkout or sets Holdfast up."""
        no_more = (*ALL_SETTINGS, "PYTHON", "VIRTUAL_ENV")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(no_more)}
        binaries = {
            name: value for name, value in os.environ.items() if name == "HOLDFAST_POSTGRES_BIN"
        }
        path = os.pathsep.join([str(self.folder / "bin"), os.defpath])
        return clean | binaries | {"PATH": path, "COLUMNS": "120"}

    def run(self, program: str, *arguments: str, at: Path, **environment: str) -> Finished:
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=at,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def holdfast(self, *arguments: str, at: Path) -> Finished:
        done = self.run("holdfast", *arguments, at=at)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def files(self) -> dict[str, tuple[int, int]]:
        """What the environment holds, and how large and old each file is."""
        found = [file for file in self.folder.rglob("*") if file.is_file()]
        return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in found}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel that is built from the checkout, installed as pip does it."""
    wheels = tmp_path_factory.mktemp("wheels")
    _pip("wheel", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT))
    made = Installed(tmp_path_factory.mktemp("venv"))
    venv.create(made.folder, symlinks=True)
    [wheel] = wheels.iterdir()
    _pip("--python", str(made.folder / "bin" / "python"), "install", str(wheel))
    (made.packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return made


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(autouse=True)
def untouched(installed: Installed) -> Iterator[None]:
    """Nothing is ever written into the installation, not even compiled Python."""
    before = installed.files()
    yield
    assert installed.files() == before


@pytest.fixture
def folder(installed: Installed, tmp_path: Path) -> Iterator[Path]:
    """An empty folder to work in; the Postgres that was started in it is stopped."""
    made = tmp_path / "a folder of mine"
    made.mkdir()
    yield made
    for home in (made / ".holdfast", made / ".holdfast" / "demo"):
        embedded.stop(home)


@pytest.fixture
def targets(sandbox, world: World, folder: Path) -> list[list[str]]:
    """What `targets add` takes; the folder's .env leads to the sandbox that has them."""
    asset = world.add_catenis_asset(12).removeprefix("catenis:")
    principal = world.add_hiro_principal(30).removeprefix("hiro:")
    settings = {f"{name.upper()}_BASE_URL": url for name, url in sandbox.urls.items()} | {
        "HIRO_REQUESTS_PER_MINUTE": "6000",
        "CATENIS_DEVICE_ID": ISSUER,
        "CATENIS_API_SECRET": ISSUER_SECRET,
    }
    lines = [f"{name}={value}\n" for name, value in settings.items()]
    (folder / ".env").write_text("".join(lines))
    return [
        ["catenis", f"asset_id={asset}", "label=Points"],
        ["hiro", f"principal={principal}", "label=Vault"],
    ]


def test_the_package_is_the_wheels_and_the_checkout_is_out_of_reach(
    installed: Installed, tmp_path: Path
) -> None:
    done = installed.run("python", "-c", WHERE, at=tmp_path)
    assert f'"{installed.packages}/pipelines/__init__.py"' in done.stdout
    assert f'"{ROOT}"' not in done.stdout


def test_the_wheel_holds_all_of_sql_and_says_that_it_is_typed(installed: Installed) -> None:
    shipped = installed.packages / "pipelines" / "shipped"
    of_project = _contents(ROOT / "sql")
    assert len(of_project) > 100
    assert _contents(shipped / "sql") == of_project
    assert (installed.packages / "pipelines" / "py.typed").exists()


def _contents(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_the_demo_runs_in_an_empty_folder(installed: Installed, folder: Path) -> None:
    done = installed.holdfast("demo", "--rounds", "1", at=folder)
    assert "Round 1: 8 snapshots published" in done.stdout
    assert f"its data is in {folder}/.holdfast/demo." in done.stdout
    assert [found.name for found in folder.iterdir()] == [".holdfast"]
    refused = installed.run(
        "holdfast", "--demo", "targets", "add", "hiro", "principal=x", at=folder
    )
    assert (refused.returncode, "can't be changed" in refused.stderr) == (2, True)


def test_what_a_person_does_first_works_and_stays_in_their_folder(
    installed: Installed, folder: Path, targets: list[list[str]]
) -> None:
    refused = installed.run("holdfast", "snapshot", at=folder)
    told = f"no list of targets at {folder}/targets.yaml: make one"
    assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr
    first, second = targets
    made = installed.holdfast("targets", "add", *first, at=folder)
    assert f"Made {folder}/targets.yaml from the example" in made.stderr
    assert "Made" not in installed.holdfast("targets", "add", *second, at=folder).stderr
    checked = installed.holdfast("targets", "check", at=folder)
    assert "is right: 0 of altura, 2 of hiro, 2 of catenis." in checked.stderr
    assert "was migrated" in installed.holdfast("migrate", at=folder).stderr
    taken = installed.holdfast("snapshot", "Points", "Vault", at=folder)
    assert "2 of 2 targets published" in taken.stdout
    shown = installed.holdfast("status", at=folder).stdout
    assert re.search(r"Points .* 12  ", shown), shown
    assert installed.holdfast("audit", at=folder).stdout
    installed.holdfast("report", at=folder)
    expected = {".env", ".holdfast", "holdfast-report.html", "targets.yaml"}
    assert {found.name for found in folder.iterdir()} == expected


def test_what_up_starts_works_in_the_folder_that_it_was_started_in(
    installed: Installed, folder: Path, targets: list[list[str]]
) -> None:
    installed.holdfast("targets", "init", at=folder)
    with subprocess.Popen(
        [installed.folder / "bin" / "holdfast", "up"],
        cwd=folder,
        env=installed.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stdout is not None
        lines = iter(service.stdout.readline, "")
        assert any("Holdfast is up." in line for line in lines)
        started = marked(folder / ".holdfast")
        assert len(started) >= 3
        assert {process.cwd() for process in started} == {str(folder)}
        installed.holdfast("down", at=folder)
    assert service.returncode == 0
    written = {found.name for found in folder.iterdir()}
    assert written == {".env", ".holdfast", "targets.yaml"}


def test_a_package_of_the_same_name_in_the_folder_is_not_taken_for_ours(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "pipelines").mkdir()
    foreign = tmp_path / "pipelines" / "__init__.py"
    foreign.write_text("raise SystemExit('the wrong one')")
    assert installed.holdfast("--version", at=tmp_path).stdout
    done = installed.run("holdfast", "--version", at=tmp_path, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"holdfast: {foreign} would be imported instead of ")
