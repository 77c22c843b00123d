"""The list of targets while a service runs, and what Dagster is given of it."""

from pathlib import Path

import pytest

from pipelines.service.files import ServiceFiles
from pipelines.service.targets import ListKeeper

HOURLY, DAILY = (f"hiro:\n  cron: '{cron}'\n" for cron in ("7 * * * *", "7 0 * * *"))


@pytest.fixture
def keeper(tmp_path: Path) -> ListKeeper:
    files = ServiceFiles(tmp_path / "home")
    files.folder.mkdir(parents=True)
    path = tmp_path / "targets.yaml"
    path.write_text(HOURLY)
    return ListKeeper(path, files)


def test_a_change_is_noticed_once_and_handed_on(keeper: ListKeeper):
    assert not keeper.changed()
    keeper.path.write_text(DAILY + "# another size\n")
    assert keeper.changed()
    assert keeper.renew() == "hiro's schedule is 7 0 * * *"
    assert keeper.files.targets.read_text().startswith(DAILY)
    assert not keeper.changed()


def test_a_change_that_dagster_can_not_use_is_taken_back_for_good(keeper: ListKeeper):
    keeper.path.write_text(DAILY + "# another size\n")
    assert keeper.changed()
    keeper.renew()
    keeper.go_back()
    assert keeper.files.targets.read_text() == HOURLY
    assert not keeper.changed()


def test_a_change_that_dagster_gave_no_answer_to_is_found_again(keeper: ListKeeper):
    keeper.path.write_text(DAILY + "# another size\n")
    assert keeper.changed()
    keeper.renew()
    keeper.try_again()
    assert keeper.files.targets.read_text() == HOURLY
    assert keeper.changed()
    assert keeper.renew() == "hiro's schedule is 7 0 * * *"
    assert not keeper.changed()
