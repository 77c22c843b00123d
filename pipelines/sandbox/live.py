"""A world that moves by itself while others look at it."""

from threading import Event, Thread
from types import TracebackType
from typing import Self

from pipelines.sandbox.world import World


class Clockwork:
    """Ticks a world every so many seconds, from entering the context until leaving it."""

    def __init__(self, world: World, seconds: float) -> None:
        if seconds <= 0:
            raise ValueError(f"a clockwork needs a time between two ticks, not {seconds} s")
        self._world = world
        self._seconds = seconds
        self._stop = Event()
        self._thread = Thread(target=self._run, name="sandbox-clockwork", daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self._world.tick()

    def close(self) -> None:
        """Stop after a tick that is under way; the world is still when this returns."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
