"""The report: a page that is whole, safe to open, and says what the marts say."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy.exc import InternalError

from pipelines.analysis.report import overview_plot, write_report
from pipelines.analysis.report.axes import number_range, number_ticks, time_ticks
from pipelines.analysis.report.data import BARS, BUCKETS, MOST_DETAILED, collect
from pipelines.analysis.report.page import render
from pipelines.analysis.report.words import duration, number, percent, short_numbers, text
from pipelines.analysis.tables import printable
from pipelines.demo import demo_runtime
from pipelines.errors import ConfigurationError
from pipelines.paths import ROOT
from pipelines.runtime import Runtime
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World
from pipelines.settings import Settings
from pipelines.warehouse.concentration import refresh_concentration
from tests.conftest import Pipeline
from tests.security.test_hostile_text import HOSTILE

VOID = {"meta", "br"}
BNS = "SP000000000000000000002Q6VF78.bns::names"
LARGEST_PAGE = 1_000_000
UINT256_MAX = 2**256 - 1
STYLE = ROOT / "pipelines" / "analysis" / "report" / "page.css"
CONTRAST_AA = 4.5
INSERT_SNAPSHOTS = """
insert into snapshot (target_id, run_key, started_at, snapshot_at, snapshot_until, finished_at,
    proof, rows, entered, exited, increased, decreased, reacquired, profile, amount_sum,
    cut_attributes, walks, pages, requests, seconds, page_size)
select t.target_id, 'run ' || n, at, at, at, at, 'single_page',
    case when n = 4000 then 9999 else 300 + n % 7 end, 2, 1, 0, 0, 0, 0, 1000 + n,
    0, 1, 1, 1, 1, 100
from target t, generate_series(1, :snapshots) n,
    lateral (select now() - (:snapshots - n) * interval '1 hour' as at) moment
"""
CHAIN_SNAPSHOTS = """
update snapshot s set previous_id = p.previous_id
from (
    select snapshot_id, lag(snapshot_id) over (partition by target_id order by snapshot_at)
        as previous_id
    from snapshot
) p
where s.snapshot_id = p.snapshot_id
"""


class Page(HTMLParser):
    """A page taken apart; raises AssertionError where an element is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.headings: list[tuple[int, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if any(re.fullmatch(r"h[1-6]", tag) for tag in self.open):
            level, words = self.headings[-1]
            self.headings[-1] = (level, words + data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def names(self) -> set[str]:
        return {name for name, _ in self.attributes}

    def values(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]


@pytest.fixture(scope="module")
def history(create_database: Callable[..., str], migrated_template: str, tmp_path_factory):
    """An item, a principal and an asset with four snapshots each, and their concentration."""
    world = World(size=EMPTY)
    with Sandbox(world) as sandbox, ExitStack() as stack:
        made = demo_runtime(Settings(_env_file=None), sandbox.urls)
        url = SecretStr(create_database(template=migrated_template))
        home = tmp_path_factory.mktemp("report")
        settings = made.settings.model_copy(update={"database_url": url, "holdfast_home": home})
        pipeline = Pipeline(Runtime(settings, made.providers), world, stack)
        keys = [world.add_altura_item(30), world.add_hiro_principal(9), world.add_catenis_asset(25)]
        labels = ("The item", None, "The asset")
        for _ in range(4):
            for key, label in zip(keys, labels, strict=True):
                pipeline.take(pipeline.target(key, label=label))
            world.tick(4)
        with pipeline.warehouse.connect() as connection:
            refresh_concentration(connection)
        yield pipeline


@pytest.fixture(scope="module")
def page(history: Pipeline) -> Page:
    return made_of(history)


def made_of(pipeline: Pipeline, *names: str, watched: dict[str, str | None] | None = None) -> Page:
    return Page(html_of(pipeline, *names, watched=watched))


def html_of(pipeline: Pipeline, *names: str, watched: dict[str, str | None] | None = None) -> str:
    with pipeline.warehouse.connect() as connection:
        return render(collect(connection, names, watched or {}))


def test_it_shows_each_target_with_its_charts_and_tables(history: Pipeline, page: Page):
    [(principal,)] = history.sql("select name from target where provider = 'hiro'")
    chapters = [words for level, words in page.headings if level == 2]
    assert len(chapters) == 2 + 3
    for name in ("The item", "The asset", principal[:12]):
        assert any(words.startswith(name) for words in chapters)
    charts = Counter(words for level, words in page.headings if level == 3)
    assert charts == {
        "Holders": 2,
        "Tokens": 1,
        "Came and went in a minute": 3,
        "Amount in all": 2,
        "Share of the largest": 2,
        "Gini coefficient": 2,
        "Nakamoto coefficient": 2,
    }
    assert page.text.count("Largest holders") == 2
    assert page.text.count("What it holds most of") == 1
    assert page.text.count("For how long what is held now") == 3


def test_its_numbers_are_those_of_the_marts(history: Pipeline, page: Page):
    amounts = history.sql("select quantity from mart.top_holders(10) where provider <> 'hiro'")
    assert len(amounts) == 20
    changed = history.sql("select max(abs(delta)) from mart.changes group by target_id")
    shown = {*page.text.replace("+", " ").replace("\N{MINUS SIGN}", " ").split()}
    shown |= {title.lstrip("+\N{MINUS SIGN}") for title in page.values("title")}
    for (amount,) in amounts + [one for one in changed if one != (1,)]:
        digits = f"{amount:,f}"
        assert (digits.rstrip("0").rstrip(".") if "." in digits else digits) in shown
    [(rows,)] = history.sql("select rows from mart.targets where label = 'The asset'")
    assert f"{rows - 10} others" in page.text


def test_it_loads_nothing_and_runs_nothing(page: Page):
    assert not page.tags.keys() & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert all(link.startswith("#") for link in page.values("href"))
    assert "url(" not in STYLE.read_text()
    assert "@import" not in STYLE.read_text()
    [policy] = [value for value in page.values("content") if value.startswith("default-src")]
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
        " form-action 'none'"
    )


def test_it_can_be_read_without_seeing_it(page: Page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    named = [name for value in page.values("aria-labelledby") for name in value.split()]
    assert set(named) | {link[1:] for link in page.values("href")} <= set(ids)
    assert page.tags["caption"] == page.tags["table"]
    drawn = page.values("role").count("img")
    assert drawn == page.tags["figure"] == page.tags["desc"] == 14
    levels = [level for level, _ in page.headings]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_texts_stand_out_from_what_is_behind_them(scheme):
    light, dark = STYLE.read_text().split("@media screen and (prefers-color-scheme: dark)")[:2]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light if scheme == "light" else dark))
    on_card = ("ink", "muted", "blue", "orange", "violet", "good", "bad")
    pairs = [(text, "card") for text in on_card] + [(text, "page") for text in on_card]
    pairs += [("good", "good-soft"), ("bad", "bad-soft"), ("ink", "plain-soft"), ("ink", "soft")]
    for front, back in pairs:
        assert contrast(colours[front], colours[back]) >= CONTRAST_AA, (front, back)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_a_target_is_chosen_by_its_name_or_label(history: Pipeline):
    [(principal,)] = history.sql("select name from target where provider = 'hiro'")
    page = made_of(history, "The item", principal)
    assert [words.split()[0] for level, words in page.headings if level == 2][1:3] == [
        "The",
        f"{principal[:12]}…{principal[-6:]}",
    ]
    assert "The asset" not in page.text
    with pytest.raises(ConfigurationError, match="did you mean The item"):
        made_of(history, "The itme")


def test_it_is_written_whole_or_not_at_all(history: Pipeline, tmp_path: Path):
    path = tmp_path / "report.html"
    path.write_text("the one before")
    with history.warehouse.connect() as connection, pytest.raises(ConfigurationError):
        write_report(connection, path, ["nobody"])
    assert path.read_text() == "the one before"
    with history.warehouse.connect() as connection:
        report = write_report(connection, path)
    assert len(report.targets) == 3
    assert Page(path.read_text()).tags["figure"] == 14
    with history.warehouse.connect() as connection:
        missing = tmp_path / "missing" / "report.html"
        with pytest.raises(ConfigurationError, match="can't be written: No such file"):
            write_report(connection, missing)
    assert list(tmp_path.iterdir()) == [path]


def test_it_reads_one_state_and_cannot_write(history: Pipeline):
    with history.warehouse.connect() as connection:
        collect(connection)
        isolation = connection.execute(sa.text("show transaction_isolation")).scalar_one()
        assert isolation == "repeatable read"
        with pytest.raises(InternalError, match="read-only"):
            connection.execute(sa.text("update target set label = 'x'"))


def test_dagster_gets_a_small_picture_of_it(history: Pipeline, tmp_path: Path):
    with history.warehouse.connect() as connection:
        png = overview_plot(connection, tmp_path)
    assert png is not None
    assert png.startswith(b"\x89PNG")
    assert len(png) < 40_000


def test_an_empty_warehouse_gets_a_page_that_says_how_to_begin(pipeline: Pipeline, tmp_path: Path):
    page = made_of(pipeline)
    assert "Nothing is here yet" in page.text
    assert "holdfast targets add --help" in page.text
    assert page.tags["table"] == 0
    with pipeline.warehouse.connect() as connection:
        assert overview_plot(connection, tmp_path) is None


def test_targets_without_a_history_say_what_is_missing(pipeline: Pipeline, world: World):
    item, asset = world.add_altura_item(3), world.add_catenis_asset(3)
    pipeline.take(pipeline.target(item, label="Once"))
    pipeline.take(pipeline.target(asset, label="Gone"))
    pipeline.sql("update target set retired_at = now() where label = 'Gone'")
    page = made_of(pipeline, watched={"hiro:SP1": "Not yet", item: "Once"})
    assert page.tags["figure"] == 0
    assert "Not yet Hiro never taken" in page.text
    assert "No snapshot yet. Take one: holdfast snapshot" in page.text
    assert page.text.count("One snapshot so far") == 2
    assert "Gone Catenis retired" in page.text
    [question] = re.findall(r"select \* from mart\.holders_as_of\(.*?\)", page.text)
    assert len(pipeline.sql(question)) == 3
    assert page.text.index("Not yet") < page.text.index("Once") < page.text.index("Gone")
    alone = made_of(pipeline, "Not yet", watched={"hiro:SP1": "Not yet"})
    assert "Not yet Hiro never taken" in alone.text


def test_what_strangers_write_is_shown_as_characters(pipeline: Pipeline, world: World, page: Page):
    texts = [*HOSTILE.values(), "\u05d0\u05d1\u05d2", "long " * 2_000, "x" * 9_000]
    vaults = [world.add_hiro_principal(0) for _ in range(2)]  # a table of changes has ten lines
    for number_, text_ in enumerate(texts):
        world.hiro_mint(vaults[number_ % 2], BNS, f"0x0200000001{number_:02x}", text_)
    items = [world.add_altura_item(1) for _ in texts]
    taken = [pipeline.target(key, label=one[:200]) for key, one in zip(items, texts, strict=True)]
    for target in (*taken, *vaults):
        pipeline.take(target)
    for number_ in range(len(texts)):
        world.hiro_transfer_out(vaults[number_ % 2], 0)
    for vault in vaults:
        pipeline.take(vault, accept_empty=True)
    html = html_of(pipeline, *items, *vaults)
    hostile = Page(html)
    assert hostile.tags.keys() <= page.tags.keys()
    assert hostile.names() <= page.names()
    assert not [char for char in html if not char.isprintable() and char != "\n"]
    headings = " ".join(words for level, words in hostile.headings if level == 2)
    for one in texts:
        assert printable(one.strip())[:12] in headings
        assert hostile.text.count(" ".join(printable(one)[:12].split())) >= 3
    assert len(html) < 10_000 * (len(texts) + 2)


def test_numbers_of_78_digits_are_shortened_for_the_eye_and_whole_in_the_title(
    pipeline: Pipeline, world: World
):
    item = world.add_altura_item(0)
    world.altura_set(item, "0x" + "aa" * 20, UINT256_MAX - 9)
    world.altura_set(item, "0x" + "bb" * 20, 1)
    pipeline.take(item)
    world.altura_set(item, "0x" + "aa" * 20, UINT256_MAX - 10)
    pipeline.take(item)
    page = made_of(pipeline)
    assert "≈ 1.158 \N{MULTIPLICATION SIGN} 10⁷⁷" in page.text
    assert f"{UINT256_MAX - 10:,}" in page.values("title")
    assert "< 0.01 %" in page.text


def test_years_of_snapshots_make_a_small_page_that_keeps_its_peaks(pipeline: Pipeline):
    pipeline.sql(
        "insert into target (provider, name, subject, label)"
        " select 'altura', 'altura:0x' || n, '0x' || n || '/1', 'Item ' || n"
        " from generate_series(1, 2) n"
    )
    pipeline.sql(INSERT_SNAPSHOTS, snapshots=8_760)
    pipeline.sql(CHAIN_SNAPSHOTS)
    with pipeline.warehouse.connect() as connection:
        report = collect(connection)
    for detail in report.details:
        points = detail.series["positions"]
        assert len(points) <= BUCKETS
        assert max(point.largest for point in points) == 9_999
        assert points[-1].value == 300 + 8_760 % 7
        assert len(detail.movements) <= BARS
        assert sum(movement.entered for movement in detail.movements) == 2 * 8_759
    html = render(report)
    assert len(html) < LARGEST_PAGE / MOST_DETAILED * 2
    assert "8,760 snapshots are drawn as fewer points" in Page(html).text


def test_more_targets_than_a_page_holds_are_in_the_overview(pipeline: Pipeline):
    pipeline.sql(
        "insert into target (provider, name, subject)"
        " select 'altura', 'altura:0x' || n, '0x' || n || '/1' from generate_series(1, 15) n"
    )
    pipeline.sql(INSERT_SNAPSHOTS, snapshots=2)
    page = made_of(pipeline)
    assert f"Details follow for {MOST_DETAILED} of 15 targets" in page.text
    assert len([1 for level, _ in page.headings if level == 2]) == MOST_DETAILED + 2
    assert "altura:0x15" in made_of(pipeline, "altura:0x15").text


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number(1234567), "1,234,567"),
        (number(Decimal("1234.500")), "1,234.5"),
        (number(Decimal(-3), sign=True), "\N{MINUS SIGN}3"),
        (number(Decimal(0)), "0"),
        (number(None), "\N{EN DASH}"),
        (percent(Decimal("0.01234")), "1.23 %"),
        (percent(Decimal("0.99999")), "> 99.99 %"),
        (percent(0), "0.00 %"),
        (percent(1), "100.0 %"),
        (duration(timedelta(seconds=59)), "59 s"),
        (duration(timedelta(minutes=4, seconds=3)), "4 min"),
        (duration(timedelta(days=3, hours=4, minutes=5)), "3 d 4 h"),
        (duration(timedelta(days=3, minutes=5)), "3 d"),
        (text("0x" + "ab" * 20), f'<bdi title="0x{"ab" * 20}">0xababababab…ababab</bdi>'),
        (text("<b>"), "<bdi>&lt;b&gt;</bdi>"),
        (short_numbers([0, 0.25, 0.5]), ["0", "0.25", "0.5"]),
        (short_numbers([18e6, 20e6]), ["18M", "20M"]),
        (short_numbers([100_000_000, 100_000_400]), ["100M", "100.0004M"]),
        (short_numbers([0.995, 0.99525, 0.9955]), ["0.995", "0.99525", "0.9955"]),
        (short_numbers([0, 1e77, 1.2e77]), ["0", "10⁷⁷", "1.2·10⁷⁷"]),
    ],
)
def test_numbers_times_and_texts_are_written_so(written, expected):
    assert written == expected


@given(
    values=st.lists(st.floats(0, 1e80, allow_subnormal=False), min_size=1, max_size=9),
    whole=st.booleans(),
)
def test_an_axis_of_numbers_holds_all_values_and_a_few_round_ticks(values, whole):
    low, high = number_range(values, whole=whole)
    room = (high - low) * 1e-6
    assert low - room <= min(values)
    assert max(values) <= high + room
    ticks = number_ticks(low, high)
    assert 1 <= len(ticks) <= 7
    assert abs(ticks[0] - low) <= room
    assert abs(ticks[-1] - high) <= room


@given(
    start=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    seconds=st.integers(0, 40 * 365 * 86_400),
    most=st.integers(3, 6),
)
def test_an_axis_of_time_has_a_few_round_moments_within(start, seconds, most):
    end = start + timedelta(seconds=seconds)
    ticks = time_ticks(start, end, most)
    assert len(ticks) <= most + 1
    assert all(start <= moment <= end for moment, _ in ticks)
    assert len({word for _, word in ticks}) == len(ticks)
    assert seconds < 90 or ticks
