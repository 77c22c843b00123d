"""How a person, a system or a closing terminal asks a service to stop."""

import signal
from types import FrameType, TracebackType
from typing import Self

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """While this is entered, the first signal raises KeyboardInterrupt, and later ones only count:
    they mean that stopping takes too long. What was ignored before, as under nohup, stays so."""

    def __init__(self) -> None:
        self.stopping = False
        self.hurry = False

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._handle)
            for number in ASKING
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as called
        if self.stopping:
            self.hurry = True
        else:
            self.stopping = True
            raise KeyboardInterrupt
