"""Tables and a plot come from kept results, without a measurement."""

from pathlib import Path

import pytest
from matplotlib.image import imread

from benchmarks.plot import plot
from benchmarks.report import report, table
from benchmarks.results import Machine, Measurement, Published, Results, Storage, read, write


def measurement(
    case: str, contestant: str, seconds: float | None, **changed: object
) -> Measurement:
    given: dict[str, object] = {
        "case": case,
        "contestant": contestant,
        "world": "n20000",
        "rows": 20_000,
        "latency_ms": 0,
        "allowed": None,
        "connections": 4,
        "repetition": 0,
        "again": False,
        "limit": 30.0,
        "seconds": seconds,
        "process_seconds": (seconds or 30.0) + 1,
        "cpu_seconds": seconds,
        "peak_bytes": 90_000_000,
        "parts": {},
        "requests": 100,
        "server_cpu_seconds": 0.1,
        "postgres_cpu_seconds": 0.2,
        "wal_bytes": 5_000_000,
    }
    return Measurement(**(given | changed))  # type: ignore[arg-type]


@pytest.fixture
def results() -> Results:
    machine = Machine("A processor", 2, 2**34, "Linux", "3.11", "18.0", {"fsync": "on"},
                      {"dlt": "1.0"}, 0.5)  # fmt: skip
    published = Published("chained", 101, 101, 1.5)
    return Results(
        name="kept",
        began_at="2026-01-01T00:00:00+00:00",
        repetitions=3,
        machine=machine,
        measurements=[
            *(measurement("a", "holdfast", seconds) for seconds in (1.0, 4.0, 2.0)),
            measurement("a", "natural_dlt", 10.0),
            measurement("c", "natural_dlt_scd2", None, again=True),
            measurement("d", "holdfast", 1.0),
            measurement("d", "holdfast", 1.0, rows=40_000, world="n40000"),
            measurement("f", "holdfast", 1.0, world="m100x30"),
            measurement("g", "holdfast", 1.0, world="n20000x10", published=published),
        ],
        storage=[Storage("holdfast", 20_000, 200, 3, 10_000_000, 5_000_000, [9, 1_000_000, 9])],
        failures=["case a: bare_floor loaded 1 row"],
    )


def line(text: str, beginning: str) -> list[str]:
    """The cells of the first table line that begins so."""
    found = next(line for line in text.splitlines() if line.startswith(f"| {beginning}"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_kept_results_are_read_as_they_were(results: Results, tmp_path: Path) -> None:
    write(results, tmp_path / "kept.json")
    assert read(tmp_path / "kept.json") == results


def test_the_figure_is_the_median_with_its_range(results: Results) -> None:
    cells = line(report(results), "Holdfast")
    assert cells[1:3] == ["2.00 (1.00 to 4.00)", "1.00"]


def test_others_are_given_as_ratios_to_ours(results: Results) -> None:
    assert line(report(results), "dlt as documented (rest_api, replace)")[1:3] == ["10.00", "5.00"]


def test_what_was_cut_off_has_no_figure_but_its_limit(results: Results) -> None:
    assert line(report(results), "dlt as documented (rest_api, scd2)")[1] == "over 30"


def test_a_contender_that_failed_is_named(results: Results) -> None:
    assert "case a: bare_floor loaded 1 row" in report(results)


def test_columns_are_as_wide_as_their_cells() -> None:
    assert table(["", "n"], [["a long name", "1"], ["b", "1,000"]]).splitlines() == [
        "|             |     n |",
        "| ----------- | ----: |",
        "| a long name |     1 |",
        "| b           | 1,000 |",
    ]


def test_the_plot_has_a_panel_for_each_case_that_was_measured(
    results: Results, tmp_path: Path
) -> None:
    plot(results, tmp_path / "kept.png")
    height, width = imread(tmp_path / "kept.png").shape[:2]
    assert width > 1000
    assert height > 1000
