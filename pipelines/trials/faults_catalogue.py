"""Every fault that a provider can show, by name: what `python -m pipelines.trials.faults` tries.

`ONCE` faults strike one request, the second of a walk as a rule, so that rows are under way when it
happens; the others strike for good.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.providers import PROVIDERS
from pipelines.sandbox.faults import bodies, statuses, wire
from pipelines.sandbox.faults.schedule import ALWAYS, Fault, When
from pipelines.sandbox.providers import SANDBOXES
from pipelines.trials.faults_scene import HOSTILE, MANY_PAGES, OVER_A_BLOCK, SMALL, Scene, SetSize

TRIED: dict[str, tuple[str, dict[str, Any]]] = {
    name if number == 0 else f"{name}-{way.api}": (name, {"api": way.api} if way.api else {})
    for name in SANDBOXES
    for number, way in enumerate(PROVIDERS[name].ways)
}
"""What is put to trial, by its name: a provider, and the settings that choose one of its APIs."""
ALL = tuple(TRIED)
COUNTED = tuple(SANDBOXES)
"""Those whose rows have an amount, or at least a number, and whose pages are counted."""
CURSORS = tuple(name for name in TRIED if name not in SANDBOXES)
SECOND = When(first=2, times=1)
"""One request, when a page was read before it."""

DRIP = 0.05
"""Seconds between two bytes: far below the read timeout of `HASTY`."""

HASTY = {"read_timeout": 0.3, "total_timeout": 0.4}
"""Timeouts for what is to run into them at each try; all else is given time on a busy machine."""

HASTY_ONCE = {"read_timeout": 1.5, "total_timeout": 2.0}
"""The same where the next try has to be answered in time."""


@dataclass(frozen=True)
class Case:
    """A fault and what it strikes, in a set of that `size`. `prepare` changes the world before the
    walk; without `fault` that is all. `settings` are the client's while the fault strikes;
    `reachable`: whether anybody listens at all."""

    name: str
    fault: Callable[[Scene], Fault] | None
    when: When = ALWAYS
    providers: tuple[str, ...] = ALL
    prepare: Callable[[Scene], None] = Scene.enter
    settings: dict[str, Any] = field(default_factory=dict)
    size: SetSize = SMALL
    reachable: bool = True


def _is(fault: Fault) -> Callable[[Scene], Fault]:
    return lambda _: fault


def _once_and_for_good(
    name: str, fault: Fault, once: Mapping[str, Any] = {}, for_good: Mapping[str, Any] = {}
) -> list[Case]:
    return [
        Case(f"{name}, once", _is(fault), SECOND, settings=dict(once)),
        Case(f"{name}, for good", _is(fault), settings=dict(for_good)),
    ]


def _wire() -> list[Case]:
    faults = {
        "reset before headers": wire.reset_before_headers,
        "reset after headers": wire.reset_after_headers,
        "reset in the body": wire.reset_in_body,
        "gzip that is not": wire.not_gzip(),
    }
    slow = {
        "hang": wire.hang,
        "hang in the body": wire.hang_in_body,
        "headers that drip": wire.drip_headers(DRIP),
        "body that drips": wire.drip_body(DRIP),
    }
    return [
        Case("connection refused", None, reachable=False),
        *(case for name, fault in faults.items() for case in _once_and_for_good(name, fault)),
        *(
            case
            for name, fault in slow.items()
            for case in _once_and_for_good(name, fault, HASTY_ONCE, HASTY)
        ),
        Case("a third of connections reset", _is(wire.reset_in_body), When(share=0.34)),
        Case("gzip bomb", _is(wire.gzip_bomb)),
        Case("gzip of nothing for ever", _is(wire.gzip_of_nothing)),
        Case("body of 1 GiB", _is(wire.huge_body())),
        Case("body of 1 GiB beside 500, once", _is(wire.huge_body(status=500)), SECOND),
        Case("bad gzip beside 404", _is(wire.not_gzip(status=404))),
    ]


def _statuses() -> list[Case]:
    return [
        *(
            case
            for code in (429, 500, 502, 503)
            for case in _once_and_for_good(str(code), statuses.status(code))
        ),
        Case("429, Retry-After in seconds", _is(statuses.too_many(lambda: "1")), SECOND),
        Case(
            "429, Retry-After a date",
            _is(statuses.too_many(lambda: statuses.http_date(1))),
            SECOND,
        ),
        Case(
            "429, Retry-After a date without zone",
            _is(statuses.too_many(lambda: statuses.http_date(1, zone=""))),
            SECOND,
        ),
        Case("429, Retry-After nonsense", _is(statuses.too_many(lambda: "soon")), SECOND),
        Case("429, Retry-After an hour", _is(statuses.too_many(lambda: "3600")), SECOND),
        *_once_and_for_good("401", statuses.status(401)),
        *(Case(str(code), _is(statuses.status(code)), SECOND) for code in (403, 404, 410)),
        Case("redirect to another host", _is(statuses.redirect("http://other.invalid/x"))),
        Case("HTML with 200", _is(statuses.html), SECOND),
        Case("error object with 200", _is(statuses.error_with_200), SECOND),
    ]


def _json() -> list[Case]:
    faults = {
        "JSON cut off": bodies.cut,
        "amount of a wrong type": bodies.amount({"is": "an object"}),
        "total of null": bodies.end(None),
        "rows missing": bodies.missing("rows"),
        "total missing": bodies.missing("end"),
        "key missing": bodies.missing("key"),
        "amount missing": bodies.missing("amount"),
        "key twice in an object": bodies.key_twice,
        "extra fields": bodies.extra,
        "amount NaN": bodies.amount(bodies.raw("NaN")),
        "amount Infinity": bodies.amount(bodies.raw("Infinity")),
        "amount negative": bodies.amount(-1),
        "amount 10^400": bodies.amount(bodies.raw("1" + "0" * 400)),
        "amount 1e400": bodies.amount(bodies.raw("1e400")),
        "amount 1e9999999999999999999": bodies.amount(bodies.raw("1e9999999999999999999")),
    }
    return [
        Case(name, _is(fault), SECOND, COUNTED if name.startswith("amount") else ALL)
        for name, fault in faults.items()
    ]


def _pages() -> list[Case]:
    return [
        Case("row twice on a page, once", _is(bodies.row_twice), SECOND, COUNTED),
        Case("row twice on a page, for good", _is(bodies.row_twice), providers=COUNTED),
        Case("page capped below what was asked", _is(bodies.capped(7))),
        *_once_and_for_good("page short by a few", bodies.short(3)),
        Case("empty page in the middle, once", _is(bodies.no_rows), SECOND),
        Case("empty pages in the middle, for good", _is(bodies.no_rows), When(start=1)),
        Case("empty set where there were rows", _is(bodies.nothing_at_all)),
        Case("page repeated for ever", lambda _: bodies.repeated()),
        Case("set without an end", _is(bodies.endless), providers=COUNTED),
        Case("holder past the end, once", _is(bodies.past_the_end), SECOND, COUNTED),
        Case("holder past the end, for good", _is(bodies.past_the_end), providers=COUNTED),
    ]


def _cursors() -> list[Case]:
    """What only an API by cursors, under a tag of the whole set, can get wrong."""
    faults = {
        "no cursor before the end": bodies.no_cursor,
        "cursor that leads back": bodies.cursor("0x00:SP1.a::a"),
        "cursor that is none": bodies.cursor("nonsense"),
        "tag missing": statuses.header("etag", None),
        "another tag": statuses.header("etag", '"another"'),
    }
    return [
        case
        for name, fault in faults.items()
        for case in (
            Case(f"{name}, once", _is(fault), SECOND, CURSORS),
            Case(f"{name}, for good", _is(fault), providers=CURSORS),
        )
    ]


def _moving() -> list[Case]:
    kinds: dict[str, Callable[[Scene], Callable[[], None]]] = {
        "row deleted": lambda scene: scene.leave,
        "row inserted": lambda scene: scene.enter,
        "one out, one in": lambda scene: scene.swap,
    }
    return [
        Case(f"{name} {how}", _during(kind), when, settings={"concurrency": 1})
        for name, kind in kinds.items()
        for how, when in (("during the walk", SECOND), ("at every request", ALWAYS))
    ]


def _during(kind: Callable[[Scene], Callable[[], None]]) -> Callable[[Scene], Fault]:
    return lambda scene: scene.during(kind(scene))


def _sizes() -> list[Case]:
    """Faults that end a walk, or have it begin again, far down in a large set."""
    once, lower_half = When(first=35, times=1), When(start=MANY_PAGES.rows // 2)
    swap, short = _during(lambda scene: scene.swap), _is(bodies.short(3))
    return [
        Case("many pages, one reset", _is(wire.reset_in_body), once, size=MANY_PAGES),
        Case("many pages, key missing", _is(bodies.missing("key")), once, size=MANY_PAGES),
        Case("many pages, one out, one in", swap, once, size=MANY_PAGES),
        Case("many pages, some of them short", short, lower_half, size=MANY_PAGES),
        Case("over a block, one out, one in", swap, When(first=74, times=1), size=OVER_A_BLOCK),
    ]


def _texts() -> list[Case]:
    return [Case(f"names: {name}", None, prepare=_renamed(text)) for name, text in HOSTILE.items()]


def _renamed(text: str) -> Callable[[Scene], None]:
    return lambda scene: scene.rename(text)


CASES: tuple[Case, ...] = (
    *_wire(),
    *_statuses(),
    *_json(),
    *_pages(),
    *_cursors(),
    *_moving(),
    *_sizes(),
    *_texts(),
)
