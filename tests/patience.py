"""How long a test waits before it takes something for stuck: a bound on what would else hang for
ever, never a measure. What takes a second on a quiet machine may take a minute on a busy one, and
nothing here passes or fails by how fast it is.

Wait for the event itself where there is one (`Event.wait(PATIENCE)`, `communicate(timeout=…)`).
What another process or a server does without telling is asked for again and again: `wait_until`.
"""

import time
from collections.abc import Callable

PATIENCE = 300.0

_PAUSE = 0.02


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds; AssertionError that names `what` where it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what}"
        time.sleep(_PAUSE)
