from dataclasses import replace

import pytest

from pipelines.providers.proofs import Proof
from pipelines.trials.report import table
from pipelines.trials.statistics import upper_bound
from pipelines.trials.tally import Tally, Verdict
from pipelines.trials.worlds import BY_NAME


@pytest.mark.parametrize(
    ("failures", "trials", "bound"),
    [
        (0, 10_000, 0.00029953),  # the rule of three
        (0, 1, 0.95),
        (1, 100, 0.04656),
        (5, 50, 0.19883),
        (10, 10, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_upper_bound_is_the_exact_one(failures: int, trials: int, bound: float) -> None:
    assert upper_bound(failures, trials) == pytest.approx(bound, rel=1e-3)


def test_the_upper_bound_holds_for_thousands_of_failures() -> None:
    assert 0.5 < upper_bound(5_000, 10_000) < 0.51


def tally(**counts: int) -> Tally:
    made = Tally(naive_accepted=100, naive_wrong=counts.get("naive_wrong", 10))
    made.accepted[Proof.DOUBLE_COLLECT] = counts.get("accepted", 50)
    made.wrong[Proof.DOUBLE_COLLECT] = counts.get("wrong", 0)
    return made


@pytest.mark.parametrize(
    ("world", "counts", "fault"),
    [
        ("altura-mixed", {}, ""),
        ("altura-mixed", {"wrong": 1}, "1 of 50 snapshots by double_collect were never true"),
        ("altura-mixed", {"naive_wrong": 0}, "no evidence"),
        ("altura-mixed", {"accepted": 49}, "49 snapshots accepted, of 50 asked for"),
        ("altura-flips", {"wrong": 1}, ""),
        ("altura-flips", {"naive_wrong": 0}, "no evidence"),
    ],
)
def test_a_trial_fails_for_what_should_not_be(
    world: str, counts: dict[str, int], fault: str
) -> None:
    faults = Verdict(BY_NAME[world], 50, tally(**counts)).faults
    assert [fault in found for found in faults] == [True] * bool(fault)


def test_a_proof_that_promises_nothing_in_a_world_is_a_limit_beside_one_that_does() -> None:
    made = Tally(naive_accepted=100, naive_wrong=10)
    made.accepted.update({Proof.CHAINED_TO_LAST: 50, Proof.SAME_VERSION: 4})
    made.wrong.update({Proof.SAME_VERSION: 1})
    verdict = Verdict(BY_NAME["hiro-since-forks"], 50, made)
    assert verdict.faults == []
    assert "a known limit: 25.00% wrong" in table([verdict])
    made.wrong.update({Proof.CHAINED_TO_LAST: 1})
    assert "1 of 50 snapshots by chained_to_last were never true" in verdict.faults[0]


def test_what_is_missing_is_no_fault_of_a_trial_that_goes_on() -> None:
    verdict = Verdict(BY_NAME["altura-mixed"], 50, tally(accepted=10, naive_wrong=0))
    assert len(verdict.faults) == 2
    assert replace(verdict, finished=False).faults == []
