"""What a command undoes however it ends: a half-written file that has to go, say.

The end of a `with` block does it where the command gets there. SIGTERM and SIGHUP end a process
where it stands, and so does Ctrl-C where a command is held up for too long (`terminal`): whoever
ends it calls `undo` first. What SIGKILL leaves, nobody can help.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""What ends a process where it stands; Ctrl-C comes as KeyboardInterrupt first."""

_pending: list[Callable[[], object]] = []


@contextmanager
def undone(action: Callable[[], object]) -> Iterator[None]:
    """Call `action` when the block is left, or before the process is ended in the middle of it.

    It may be called twice, and by another thread than the one in the block. It may raise OSError.
    """
    # What is ignored, as under nohup, stays so.
    taken = [number for number in ENDING if signal.getsignal(number) is signal.SIG_DFL]
    _pending.append(action)
    for number in taken:
        signal.signal(number, _end)
    try:
        yield
    finally:
        action()
        _pending.remove(action)
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def undo() -> None:
    """Do what every open block would do at its end, the innermost first."""
    for action in reversed(_pending):
        with suppress(OSError):  # the others have to be undone all the same
            action()


def _end(number: int, _frame: object) -> None:
    undo()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
