"""Where a state folder's sandbox serves, for the other processes that work on the same folder.

`<home>/sandbox.json` names the process beside the URLs: a file that a killed sandbox left behind
is known as such.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from pipelines.errors import ConfigurationError


@contextmanager
def only_sandbox(home: Path) -> Iterator[None]:
    """Be the one sandbox of the folder: two worlds would tell the warehouse different stories.

    Raises ConfigurationError where there is another.
    """
    home.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(home / "sandbox.lock", timeout=0).acquire()
    except Timeout:
        raise ConfigurationError(
            "the demo runs already, in another shell; one at a time. Stop it there with Ctrl-C, or"
            " from here: holdfast --demo down"
        ) from None
    with held:
        yield


@contextmanager
def announced(home: Path, urls: dict[str, str]) -> Iterator[None]:
    """Tell other processes the URLs, for as long as this lasts."""
    said = {"pid": os.getpid(), "started": psutil.Process().create_time(), "urls": urls}
    fresh = home / "sandbox.json.new"
    fresh.write_text(json.dumps(said) + "\n")
    fresh.replace(home / "sandbox.json")
    try:
        yield
    finally:
        (home / "sandbox.json").unlink(missing_ok=True)


def find_sandbox(home: Path) -> dict[str, str]:
    """The URLs of the sandbox that serves now. Raises ConfigurationError where none does."""
    path = home / "sandbox.json"
    try:
        said = json.loads(path.read_text())
        if psutil.Process(said["pid"]).create_time() == said["started"]:
            return dict(said["urls"])
    except (FileNotFoundError, psutil.NoSuchProcess):
        pass
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} can't be used, remove it: {error!r}") from error
    raise ConfigurationError(
        "the demo's world is there only while the demo runs. Start it in another shell:"
        " holdfast --demo up"
    )
