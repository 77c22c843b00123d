"""Where files are looked for, in a checkout and in an installed wheel."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from pipelines import paths
from pipelines.paths import ROOT, shipped, working_folder

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
INTO_THE_WHEEL = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]


@pytest.fixture
def installed(tmp_path: Path) -> ModuleType:
    """The module as it is in a folder of packages that a wheel was installed into."""
    package = tmp_path / "site-packages" / "pipelines"
    (package / "shipped").mkdir(parents=True)
    place = package / "paths.py"
    place.write_text(Path(paths.__file__).read_text())
    spec = importlib.util.spec_from_file_location("installed_paths", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_in_a_checkout_files_lie_beside_the_package_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped("sql/marts") == ROOT / "sql" / "marts"
    assert working_folder() == ROOT


def test_installed_they_lie_in_the_package_and_one_works_where_one_stands(
    installed: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inside = tmp_path / "site-packages" / "pipelines" / "shipped"
    assert installed.shipped("sql/marts") == inside / "sql" / "marts"
    assert installed.working_folder() == tmp_path


def test_whatever_the_program_reads_is_there_and_is_built_into_the_wheel() -> None:
    modules = [file.read_text() for file in (ROOT / "pipelines").rglob("*.py")]
    names = {name for text in modules for name in re.findall(r'\bshipped\("([^"]+)"\)', text)}
    assert "sql/audit" in names
    assert {name for name in names if not (ROOT / name).exists()} == set()
    assert {Path(name).parts[0] for name in names} == set(INTO_THE_WHEEL["shipped"])


def test_only_where_dagster_imports_from_is_the_packages_own_folder_asked_for() -> None:
    """Elsewhere it would be site-packages: what is read there is `shipped`, and nothing is
    written."""
    modules = (ROOT / "pipelines").rglob("*.py")
    asking = {file.name for file in modules if re.search(r"\bROOT\b", file.read_text())}
    assert asking == {"paths.py", "dagster_processes.py"}
