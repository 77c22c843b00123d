"""The picture of what changed: a small PNG, whatever the labels are."""

import io
import warnings
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from PIL import Image

from pipelines.analysis.plots import LARGEST_PNG, MOST_TARGETS, Change, changed_most, changes_png
from pipelines.warehouse.registry import PublishedSnapshot

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOSTILE = [
    "$\\frac{1}{$",
    "<img src=x onerror=alert(1)>",
    "| a | b |\n|---|---|",
    "\u202etfel ot thgir",
    "漢字 と 😀",
    "x" * 200,
    "a\x00b\x1b[31mc",
    "Z̸̢̛a̶l̵g̷o̸" * 9,
    "",
]


def change(label, *, first=False, **counts) -> Change:
    kinds = ("entered", "exited", "increased", "decreased", "reacquired", "profile")
    return Change(
        label,
        PublishedSnapshot(
            snapshot_id=2,
            chain_tip=None,
            api=None,
            target_id=1,
            previous_id=None if first else 1,
            run_key="run",
            scheduled_at=None,
            started_at=NOON,
            snapshot_at=NOON,
            snapshot_until=NOON,
            finished_at=NOON,
            published_at=NOON,
            proof="single_page",
            rows=100,
            amount_sum=None,
            migrated_amount=None,
            migrated_unconfirmed=None,
            cut_attributes=0,
            walks=1,
            pages=1,
            requests=1,
            seconds=Decimal(1),
            page_size=100,
            first_tip=None,
            last_tip=None,
            top_place=None,
            reordered=False,
            next_due_at=None,
            **{kind: counts.get(kind, 0) for kind in kinds},
        ),
    )


def opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    picture.load()
    return picture


def test_the_picture_is_a_png_in_few_colours(tmp_path):
    picture = opened(changes_png([change("A", entered=3, exited=1)], tmp_path))
    assert (picture.format, picture.mode) == ("PNG", "P")


def test_it_shows_bars_in_the_colours_of_what_came_and_of_what_went(tmp_path):
    picture = opened(changes_png([change("A", entered=5, exited=5)], tmp_path)).convert("RGB")
    counted = dict(map(reversed, picture.getcolors(1 << 20)))
    blue, orange = (0x1F, 0x6F, 0xB4), (0xC8, 0x56, 0x1B)
    assert min(counted[blue], counted[orange]) > 1_000


@pytest.mark.parametrize("many", [1, MOST_TARGETS, MOST_TARGETS + 1, 500])
def test_it_stays_small_however_many_targets_there_are(many, tmp_path):
    changes = [
        change(f"{label}{number}", entered=number + 1, decreased=7, increased=3, reacquired=2)
        for number, label in zip(range(many), HOSTILE * 60, strict=False)
    ]
    assert len(changes_png(changes, tmp_path)) <= LARGEST_PNG


def test_hostile_labels_are_drawn_without_a_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = changes_png([change(label, entered=1) for label in HOSTILE], tmp_path)
    assert opened(png).width > 500


def test_counts_of_any_size_are_drawn(tmp_path):
    changes = [change("huge", entered=2**62), change("small", exited=1)]
    assert opened(changes_png(changes, tmp_path)).height > 100


def test_nothing_is_drawn_where_nothing_changed(tmp_path):
    assert changes_png([], tmp_path) is None
    assert changes_png([change("A", profile=3)], tmp_path) is None


def test_first_snapshots_are_no_change():
    assert changed_most([change("new", first=True, entered=1_000)]) == []


def test_the_most_changed_come_first():
    changes = [change("little", exited=1), change("much", entered=9), change("b", increased=1)]
    assert [each.label for each in changed_most(changes)] == ["much", "b", "little"]
