"""Take the screenshots of the report again, and check the page in a real browser.

    .venv/bin/python docs/screenshots/report.py              makes months of history, ten minutes
    .venv/bin/python docs/screenshots/report.py PAGE.html    checks a page that is there, seconds

Needs Chromium (or Chrome) on the path. Fails when the page logs anything, loads anything but
itself, or is wider than a phone. Everything happens in a folder of its own that is removed at the
end: a sandbox with the demo's targets and a Postgres.

Nobody waits for months: a round of snapshots is taken every few seconds, and afterwards the times
in that Postgres are moved apart, a day for each round. What the pictures show is made to happen: an
asset that the sandbox refuses to list in the last rounds, and a target that has been retired.
"""
# ruff: noqa: INP001, T201 - a script that tells what it does

import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from browser import Browser

from pipelines.analysis.report import write_report
from pipelines.demo import TARGETS, demo_runtime
from pipelines.runtime import Runtime
from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from pipelines.settings import Settings
from pipelines.snapshots import take_snapshots
from pipelines.targets import load_targets
from pipelines.warehouse import embedded
from pipelines.warehouse.concentration import refresh_concentration
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import Run, retire

HERE = Path(__file__).parent
DESKTOP, PHONE = (1240, 1562), (375, 1000)
ROUNDS, TICKS_A_ROUND, REFUSED_ROUNDS = 100, 6, 3
CRON = "0 6 * * *"
REFUSED = "aQAhFnOFnuH8aBwOzrFW"
RETIRED = "Season pass (unlisted)"
FORBIDDEN = Answer(403, {}, b'{"status":"error","message":"No permission to list asset holders"}')

AGED = {
    "target": ("created_at", "retired_at"),
    "snapshot": ("started_at", "snapshot_at", "snapshot_until", "finished_at", "published_at"),
    "walk_failure": ("failed_at",),
    "altura_item_holders_current": ("valid_from", "held_since"),
    "altura_item_holders_history": ("valid_from", "valid_to", "held_since"),
    "hiro_nft_holdings_current": ("valid_from", "held_since"),
    "hiro_nft_holdings_history": ("valid_from", "valid_to", "held_since"),
    "catenis_asset_holders_current": ("valid_from", "held_since"),
    "catenis_asset_holders_history": ("valid_from", "valid_to", "held_since"),
}


def main() -> None:
    if len(sys.argv) > 1:
        return check(Path(sys.argv[1]).resolve())
    home = Path(tempfile.mkdtemp(prefix="holdfast-report-"))
    try:
        page = home / "holdfast-report.html"
        with Sandbox(World()) as sandbox:
            runtime = _runtime(sandbox, home)
            with runtime.open_warehouse() as warehouse:
                _move_apart(warehouse, _take_rounds(sandbox, runtime, warehouse))
                with warehouse.connect() as connection:
                    refresh_concentration(connection)
                with warehouse.connect() as connection:
                    write_report(connection, page)
        check(page)
        photograph(page)
    finally:
        embedded.stop(home)
        shutil.rmtree(home)


def check(page: Path) -> None:
    """Raises SystemExit where the page is not what it promises to be."""
    wrong = []
    for width, height in (DESKTOP, PHONE):
        for dark in (False, True):
            with Browser(width, height) as browser:
                browser.watch(dark=dark)
                browser.open(page.as_uri(), "How to read this")
                wrong += [f"it logs: {message}" for message in browser.messages()]
                wrong += [f"it loads {url}" for url in browser.loaded() if url != page.as_uri()]
                if (wide := browser.page_width()) > width:
                    wrong.append(f"it is {wide} px wide on a screen of {width} px")
    if wrong:
        raise SystemExit("\n".join([f"{page}:", *sorted(set(wrong))]))
    print(f"{page}: {page.stat().st_size:,} bytes, loads nothing, logs nothing, fits a phone")


def photograph(page: Path) -> None:
    for name, (width, height), dark in (
        ("report.png", DESKTOP, False),
        ("report-dark.png", DESKTOP, True),
        ("report-phone.png", PHONE, False),
    ):
        with Browser(width, height) as browser:
            browser.watch(dark=dark)
            browser.open(page.as_uri(), "How to read this")
            browser.picture(HERE / name)


def _runtime(sandbox: Sandbox, home: Path) -> Runtime:
    made = demo_runtime(Settings(_env_file=None), sandbox.urls)
    own = made.settings.model_copy(update={"holdfast_home": home, "database_url": None})
    return Runtime(own, made.providers)


def _take_rounds(sandbox: Sandbox, runtime: Runtime, warehouse: Warehouse) -> list[datetime]:
    """When each round began, by the database's clock."""
    watched = load_targets(TARGETS)
    began = []
    for number in range(ROUNDS):
        sandbox.world.tick(TICKS_A_ROUND)
        if number == ROUNDS - REFUSED_ROUNDS:
            sandbox.before_response = _refuse
            with warehouse.connect() as connection:
                [name] = [one.name for one in watched.targets() if one.label == RETIRED]
                retire(connection, [name])
        with warehouse.transaction() as connection:
            began.append(connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one())
        for name, watch in watched.watches.items():
            gone = {RETIRED} if number >= ROUNDS - REFUSED_ROUNDS else set()
            targets = [target for target in watch.targets if target.label not in gone]
            with (
                runtime.open_run(f"round {number} of {name}", "pictures") as opened,
                runtime.open_provider(name, opened) as client,
            ):
                run = Run(f"round {number}", cron=CRON)
                for _ in take_snapshots(targets, client, opened.warehouse, run):
                    pass
        print(f"round {number + 1} of {ROUNDS}", flush=True)
    return began


def _refuse(exchange: Exchange) -> Answer | None:
    return FORBIDDEN if REFUSED in exchange.target else None


def _move_apart(warehouse: Warehouse, began: list[datetime]) -> None:
    """Move every time into the past by as many days as rounds began after it."""
    with warehouse.transaction() as connection:
        connection.execute(sa.text("create temp table round (began timestamptz)"))
        connection.execute(
            sa.text("insert into round select unnest(cast(:began as timestamptz[]))"),
            {"began": began},
        )
        for table, columns in AGED.items():
            of = sa.table(table, *map(sa.column, columns))
            connection.execute(sa.update(of).values({c: _aged(of.c[c]) for c in columns}))
        connection.execute(
            sa.text("update snapshot set next_due_at = snapshot_at + interval '1 day'")
        )


def _aged(column: sa.ColumnElement[datetime]) -> sa.ColumnElement[datetime]:
    round_ = sa.table("round", sa.column("began"))
    later = sa.select(sa.func.count()).select_from(round_).where(round_.c.began > column)
    days = sa.cast(later.scalar_subquery(), sa.Integer)
    return column - sa.func.make_interval(0, 0, 0, days)


if __name__ == "__main__":
    main()
