"""The trials in small: hundreds of walks, and the proof that a trial can fail."""

import json

import pytest

from pipelines.trials.__main__ import main
from pipelines.trials.kinds import TrialWorld
from pipelines.trials.run import run_share
from pipelines.trials.shares import Share
from pipelines.trials.worlds import BY_NAME, WORLDS


@pytest.mark.parametrize("kind", WORLDS, ids=lambda kind: kind.name)
def test_no_accepted_snapshot_was_never_true(kind: TrialWorld) -> None:
    """Of a world in which the proof promises nothing, only that it can be put to trial."""
    walks = 2 if kind.slow or not kind.promises else 20
    tally = run_share(Share(kind.name, "small", walks, naive=0))
    if kind.promises:
        assert tally.accepted[kind.proof] >= walks
        assert tally.wrong.total() == 0
    else:
        assert tally.accepted.total() > 0


def test_the_usual_test_accepts_what_was_never_true() -> None:
    # One page at a time, so the same happens each time: about half of what it accepts is wrong.
    first, second = (run_share(Share("hiro-replicas", "naive", 0, naive=160)) for _ in range(2))
    assert first.naive_accepted > first.naive_wrong > first.naive_accepted // 5 > 0
    assert (first.naive_accepted, first.naive_wrong) == (second.naive_accepted, second.naive_wrong)


def test_a_snapshot_that_lost_a_row_fails_the_trial(
    capsys: pytest.CaptureFixture[str], tmp_path
) -> None:
    report = tmp_path / "trial.json"
    kept = ["--kept", str(tmp_path / "kept.jsonl")]
    asked = ["--world", "hiro-mixed", "--walks", "20", "--processes", "1", *kept]
    assert main([*asked, "--spoil", "--json", str(report)]) == 1
    assert "hiro-mixed: 1 of 6 snapshots by chained were never true" in capsys.readouterr().out
    [world] = json.loads(report.read_text())
    assert world["proofs"]["chained"]["wrong"] == 1
    assert main(asked) == 0
    assert "FAILED" not in capsys.readouterr().out


def test_every_world_is_named_for_its_provider_and_tells_what_it_is() -> None:
    assert len(BY_NAME) == len(WORLDS)
    for world in WORLDS:
        assert world.name.startswith(f"{world.provider}-")
        assert world.about
