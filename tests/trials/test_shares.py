"""A trial that is done in pieces: nothing twice, nothing left out, nothing of other code."""

import json
from collections import Counter
from pathlib import Path

import pytest

from pipelines.trials import shares
from pipelines.trials.__main__ import UNFINISHED, main
from pipelines.trials.shares import Kept, Share, shares_of
from pipelines.trials.tally import Tally
from pipelines.trials.worlds import BY_NAME

TINY = ["--world", "altura-tiny", "--world", "hiro-tiny", "--walks", "20", "--processes", "1"]
ONE = Share("hiro-tiny", "1/0", 6, naive=400)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "state" / "trials.jsonl"


def test_every_world_gets_its_walks_one_share_of_each_after_the_other() -> None:
    worlds = [BY_NAME[name] for name in ("hiro-mixed", "altura-tiny", "catenis-long")]
    asked = shares_of(dict(zip(worlds, (600, 250, 30), strict=True)), 7, spoil=False)
    assert [share.world for share in asked[:3]] == [world.name for world in worlds]
    walks = Counter({world.name: 0 for world in worlds})
    for share in asked:
        walks[share.world] += share.walks
    assert walks == {"hiro-mixed": 600, "altura-tiny": 250, "catenis-long": 30}
    assert len({(share.world, share.seed) for share in asked}) == len(asked) == 5


def test_a_world_has_enough_naive_walks_however_few_the_others_are() -> None:
    [share] = shares_of({BY_NAME["altura-balanced"]: 10}, 1, spoil=False)
    assert share.naive == 400
    many = shares_of({BY_NAME["altura-balanced"]: 10_000}, 1, spoil=False)
    assert sum(one.naive for one in many) == 2520


def test_what_is_kept_comes_back_as_it_was(kept: Path) -> None:
    tally = Tally(targets=7, accepted=Counter(chained=6, single_page=1), seconds=1.5)
    Kept(kept).add(ONE, tally)
    assert Kept(kept).done() == {ONE: tally}


def test_a_line_that_was_cut_off_is_a_share_that_was_not(kept: Path) -> None:
    Kept(kept).add(ONE, Tally())
    with kept.open("a") as file:
        file.write('{"code": "')
    assert list(Kept(kept).done()) == [ONE]


def test_what_other_code_did_shows_nothing(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Kept(kept).add(ONE, Tally())
    monkeypatch.setattr(shares, "code_digest", lambda: "another")
    assert Kept(kept).done() == {}


def test_a_trial_without_time_is_unfinished_and_goes_on_later(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*TINY, "--kept", str(kept)]
    assert main([*asked, "--minutes", "0"]) == UNFINISHED
    assert "Unfinished: 0 of 2 shares are done." in capsys.readouterr().out
    assert main(asked) == 0
    lines = kept.read_text()
    assert [json.loads(line)["share"]["walks"] for line in lines.splitlines()] == [6, 6]
    assert main([*asked, "--minutes", "0"]) == 0
    assert kept.read_text() == lines
    assert main([*asked, "--minutes", "0", "--again"]) == UNFINISHED
    assert not kept.exists()
