"""`holdfast sandbox serve`: the sandbox by hand."""

import shlex
import threading
from contextlib import nullcontext

from rich.console import Console

from pipelines.sandbox.live import Clockwork
from pipelines.sandbox.server import ISSUER_SECRET, Sandbox
from pipelines.sandbox.world import ISSUER, World


def serve(out: Console, err: Console, *, port: int, seed: int, tick: float) -> None:
    """Serve until interrupted. The lines on stdout can be given to a shell's eval."""
    world = World(seed)
    with Sandbox(world, port=port) as sandbox, Clockwork(world, tick) if tick else nullcontext():
        for name, url in sandbox.urls.items():
            _plain(out, f"export {name.upper()}_BASE_URL={shlex.quote(url)}")
        _plain(out, f"export CATENIS_DEVICE_ID={ISSUER}")
        _plain(out, f"export CATENIS_API_SECRET={ISSUER_SECRET}")
        err.print("Targets: " + ", ".join(world.targets()), soft_wrap=True, highlight=False)
        err.print("Serving until Ctrl-C …")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            err.print("Stopped.")


def _plain(out: Console, line: str) -> None:
    """A line for a shell: not wrapped, not coloured."""
    out.print(line, soft_wrap=True, highlight=False, markup=False)
