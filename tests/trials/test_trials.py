"""The trials in small: hundreds of walks, and the proof that a trial can fail."""

import json

import pytest

from pipelines.trials.__main__ import main
from pipelines.trials.run import run_share
from pipelines.trials.worlds import BY_NAME, WORLDS

IN_SMALL = (
    "hiro-mixed",
    "hiro-parallel",
    "hiro-busy",
    "hiro-tiny",
    "hiro-replicas",
    "hiro-long",
    "altura-mixed",
    "altura-borders",
    "altura-mixed-parallel",
    "altura-honest-cache",
    "altura-long",
    "catenis-mixed",
    "catenis-balanced",
    "catenis-borders-parallel",
    "catenis-tiny",
    "catenis-long",
)


@pytest.mark.parametrize("name", IN_SMALL)
def test_no_accepted_snapshot_was_never_true(name: str) -> None:
    kind = BY_NAME[name]
    walks = 6 if kind.slow else 60
    tally = run_share(name, "small", walks)
    assert kind.promises
    assert tally.accepted[kind.proof] >= walks
    assert tally.wrong.total() == 0


def test_the_usual_test_accepts_what_was_never_true() -> None:
    # Half of what it accepts in this world: never to be wrong in some eighty is no chance.
    tally = run_share("hiro-replicas", "naive", 200)
    assert tally.naive_accepted > tally.naive_wrong > 0


def test_a_snapshot_that_lost_a_row_fails_the_trial(
    capsys: pytest.CaptureFixture[str], tmp_path
) -> None:
    report = tmp_path / "trial.json"
    asked = ["--world", "hiro-replicas", "--walks", "5", "--processes", "1"]
    assert main([*asked, "--spoil", "--json", str(report)]) == 1
    assert "hiro-replicas: 1 of 5 snapshots by chained were never true" in capsys.readouterr().out
    [world] = json.loads(report.read_text())
    assert world["proofs"]["chained"]["wrong"] == 1
    assert main(asked) == 0
    assert "FAILED" not in capsys.readouterr().out


def test_every_world_is_named_for_its_provider_and_tells_what_it_is() -> None:
    assert len(BY_NAME) == len(WORLDS)
    for world in WORLDS:
        assert world.name.startswith(f"{world.provider}-")
        assert world.about
