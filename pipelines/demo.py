"""The demo's own home and world, for whatever works on them: its rounds are in `demo_rounds`.

It has a home of its own under the project's, with its own Postgres and Dagster storage, so that
nothing of it is ever mixed with real targets. The world goes on where the last demo left it.
Dagster is not imported here: `holdfast --demo status` need not wait seconds for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.paths import shipped
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.sandbox.clients import settings_at
from pipelines.sandbox.live import Clockwork
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.serving import announced, find_sandbox, only_sandbox
from pipelines.sandbox.world import World
from pipelines.settings import Settings

SECONDS_A_TICK = 3.0
TICKS_RELIVED = 2_000
"""At most so many when a world goes on: each takes milliseconds, and more the older the world."""
REQUESTS_PER_MINUTE = 60_000
TARGETS = shipped("targets.demo.yaml")


def demo_settings(settings: Settings) -> Settings:
    """The settings of the demo: its own server, home and targets, whatever the environment says."""
    return settings.model_copy(
        update={
            "database_url": None,
            "holdfast_home": settings.holdfast_home / "demo",
            "holdfast_targets": TARGETS,
        }
    )


def demo_runtime(settings: Settings, urls: dict[str, str]) -> Runtime:
    """The demo's runtime for a sandbox at those URLs; no variable of a provider is read."""
    providers = {
        name: settings_at(name, urls.get(name), requests_per_minute=REQUESTS_PER_MINUTE)
        for name in PROVIDERS
    }
    return Runtime(demo_settings(settings), providers)


def serving_runtime(settings: Settings) -> Runtime:
    """The runtime for the sandbox that serves the demo right now, started by another process.

    Raises ConfigurationError where no sandbox serves.
    """
    return demo_runtime(settings, find_sandbox(demo_settings(settings).holdfast_home))


@contextmanager
def living_sandbox(home: Path) -> Iterator[Sandbox]:
    """A sandbox whose world moves, from where the last one of this home stopped.

    Other processes find it with `serving_runtime`. Raises ConfigurationError where this home has
    one already.
    """
    with only_sandbox(home):
        world = World()
        world.tick(_ticks_lived(home))
        with Sandbox(world) as sandbox, announced(home, sandbox.urls):
            try:
                with Clockwork(world, SECONDS_A_TICK):
                    yield sandbox
            finally:
                keep_ticks(home, sandbox)


def keep_ticks(home: Path, sandbox: Sandbox) -> None:
    """Write down how far the world has come, so that the next one goes on from there."""
    fresh = home / "world_ticks.new"
    fresh.write_text(f"{sandbox.world.ticks}\n")
    fresh.replace(home / "world_ticks")


def _ticks_lived(home: Path) -> int:
    kept = home / "world_ticks"
    reached = kept.read_text().strip() if kept.exists() else ""
    return min(int(reached), TICKS_RELIVED) if reached.isdecimal() else 0
