"""`holdfast sandbox serve`: the sandbox by hand."""

import shlex
import threading
from contextlib import nullcontext
from pathlib import Path

import yaml
from rich.console import Console

from pipelines.errors import ConfigurationError
from pipelines.sandbox.contract import Json
from pipelines.sandbox.live import Clockwork
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World

REQUESTS_PER_MINUTE = 6000


def serve(home: Path, out: Console, err: Console, *, port: int, seed: int, tick: float) -> None:
    """Serve until interrupted.

    The lines on stdout, given to a shell's eval, point Holdfast at the sandbox: at its URLs, at a
    list of its targets under `home`, and at a home of their own, apart from real data.
    """
    world = World(seed)
    folder = home / "sandbox"
    folder.mkdir(parents=True, exist_ok=True)
    targets = folder / "targets.yaml"
    targets.write_text(yaml.safe_dump(_targets(world), sort_keys=False))
    try:
        with Sandbox(world, port=port) as sandbox, _moving(world, tick):
            for name, value in _environment(sandbox, folder, targets).items():
                out.print(f"export {name}={shlex.quote(value)}", soft_wrap=True, highlight=False)
            err.print("Give these lines to another shell, then: holdfast snapshot", highlight=False)
            err.print("Serving until Ctrl-C …")
            threading.Event().wait()
    except KeyboardInterrupt:
        err.print("Stopped.")
    except OSError as error:
        raise ConfigurationError(
            f"can't listen on port {port} and those after it: {error.strerror}"
        ) from None


def _moving(world: World, tick: float) -> Clockwork | nullcontext[None]:
    return Clockwork(world, tick) if tick else nullcontext()


def _environment(sandbox: Sandbox, folder: Path, targets: Path) -> dict[str, str]:
    environment = {"HOLDFAST_HOME": str(folder), "HOLDFAST_TARGETS": str(targets)}
    for name, url in sandbox.urls.items():
        environment[f"{name.upper()}_BASE_URL"] = url
        environment[f"{name.upper()}_REQUESTS_PER_MINUTE"] = str(REQUESTS_PER_MINUTE)
        for field, setting in sandbox.apis[name].settings().items():
            environment[f"{name.upper()}_{field.upper()}"] = setting
    return environment


def _targets(world: World) -> dict[str, dict[str, list[Json]]]:
    """The world's targets as targets.yaml lists them."""
    return {
        name: {"targets": [api.target(key) for key in world.targets(name)]}
        for name, api in SANDBOXES.items()
    }
