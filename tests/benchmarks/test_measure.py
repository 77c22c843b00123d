"""A whole measurement, small: real contenders, a real Postgres, real sockets."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.cases import QUICK, Runner
from benchmarks.databases import databases
from benchmarks.measure import Bench
from benchmarks.results import Measurement, Storage
from benchmarks.server_process import HttpServer
from tests.patience import PATIENCE

SIZES = replace(QUICK, first_rows=(500,), again_rows=(500,), limit=PATIENCE)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    with HttpServer() as server, databases(folder / "server", settings={}) as ours:
        yield Bench(server, ours, folder / "contenders")


class Told:
    """What a runner told."""

    def __init__(self, bench: Bench, *chosen: str, limit: float = PATIENCE) -> None:
        self.measured: list[Measurement] = []
        self.stored: list[Storage] = []
        self.failures: list[str] = []
        self.runner = Runner(
            bench,
            replace(SIZES, limit=limit),
            chosen,
            self.measured.append,
            self.stored.append,
            self.failures.append,
        )


@pytest.fixture(scope="module")
def first(bench: Bench) -> Told:
    told = Told(bench, "bare_floor", "indexed_floor")
    told.runner.run("a")
    return told


def test_floors_load_what_the_server_shows(first: Told) -> None:
    assert first.failures == []
    assert [m.requests for m in first.measured] == [3, 3]


def test_nothing_of_a_contender_is_left(bench: Bench, first: Told) -> None:
    assert first.measured
    assert list(bench.scratch.iterdir()) == []


def test_a_second_snapshot_is_loaded_over_the_first(bench: Bench) -> None:
    told = Told(bench, "merge_floor", "holdfast")
    told.runner.run("c")
    assert told.failures == []
    assert [(m.contestant, m.world, m.again) for m in told.measured] == [
        ("merge_floor", "n500x5", True),
        ("holdfast", "n500x5", True),
    ]
    assert told.measured[1].parts
    assert told.measured[1].published


def test_a_contender_that_takes_too_long_is_cut_off_and_said_to_be(bench: Bench) -> None:
    told = Told(bench, "bare_floor", limit=0.001)
    told.runner.run("a")
    assert [m.seconds for m in told.measured] == [None]
    assert told.failures == []
