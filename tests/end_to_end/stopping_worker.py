"""A worker that takes one snapshot with the real code, and stops where it is told to.

The function that is named is wrapped where its caller looks it up; nothing else differs from a run
of Holdfast. It is a process of its own, so that it can be killed; forked from one that has imported
everything, which saves a second each.
"""

import importlib
import itertools
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from pipelines.extract.http import Client
from pipelines.providers import PROVIDERS
from pipelines.snapshots import Failed, take_snapshots
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import Run


def work(order: dict[str, Any], caller: Connection) -> None:
    """Carry out the order (see `crashes.Scene.work`). Tells the caller "stopped" at the point, and
    waits there for a word; tells how it came out at the end."""
    if order["point"]:
        _stop_at(**order["point"], caller=caller)
    provider = PROVIDERS[order["provider"]]
    target = provider.target_type(**order["target"])
    settings = provider.settings_type(_env_prefix="HOLDFAST_TEST_", **order["settings"])
    run = Run(order["run"])
    with Client(provider, settings) as client, Warehouse(order["database_url"]) as warehouse:
        [outcome] = take_snapshots([target], client, warehouse, run)
    if isinstance(outcome, Failed):
        caller.send({"failed": type(outcome.error).__name__, "message": str(outcome.error)})
    else:
        told = {"published": outcome.snapshot.snapshot_id, "repeated": outcome.repeated}
        caller.send(told | ({"elsewhere": True} if outcome.elsewhere else {}))


def _stop_at(place: str, side: str, nth: int, caller: Connection) -> None:
    """Stop at the `nth` call of `place` (module:name or module:Class.name), when it is "entered"
    or when it is "left"."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    real: Callable[..., Any] = getattr(owner, name)
    calls = itertools.count(1)

    def stop() -> None:
        caller.send("stopped")
        caller.recv()

    def stopping(*args: Any, **named: Any) -> Any:
        here = next(calls) == nth
        if here and side == "entered":
            stop()
        result = real(*args, **named)
        if here and side == "left":
            stop()
        return result

    setattr(owner, name, stopping)
