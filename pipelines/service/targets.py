"""The list of targets while a service runs: a change is noticed, checked, and handed to Dagster.

Dagster reads a copy, the last list that could be used: every run loads the definitions anew, and
would fail from the moment on that somebody saves a list with a mistake.
"""

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.service.files import ServiceFiles
from pipelines.targets import WatchList, load_targets

Stamp = tuple[int, int, int]


@dataclass
class ListKeeper:
    """Keeps Dagster's copy of the list at `path`."""

    path: Path
    files: ServiceFiles
    watched: WatchList = field(init=False)

    def __post_init__(self) -> None:
        """Raises ConfigurationError where the list can't be used."""
        self._seen = self._stamp()
        self._take()

    def changed(self) -> bool:
        """Whether the file is another than at the last look."""
        before, self._seen = self._seen, self._stamp()
        return self._seen != before

    def renew(self) -> str | None:
        """Check and copy the list as it is now; what is different, or None where nothing is.

        Raises ConfigurationError where the list can't be used; the copy stays as it was.
        """
        before = self.watched
        self._replaced = self.files.targets.read_bytes()
        self._take()
        return _difference(before, self.watched)

    def go_back(self) -> None:
        """Take the last change back: Dagster can't use it."""
        fresh = self.files.targets.with_suffix(".new")
        fresh.write_bytes(self._replaced)
        fresh.replace(self.files.targets)
        self.watched = load_targets(self.files.targets)

    def try_again(self) -> None:
        """Take the last change back for now: the next look finds it once more."""
        self.go_back()
        self._seen = None

    def _take(self) -> None:
        load_targets(self.path)  # a mistake is told with the path that the person knows
        fresh = self.files.targets.with_suffix(".new")
        fresh.write_bytes(self.path.read_bytes())
        self.watched = load_targets(fresh)  # what is copied is what was checked
        fresh.replace(self.files.targets)

    def _stamp(self) -> Stamp | None:
        try:
            found = self.path.stat()
        except OSError:
            return None  # an editor may be replacing it
        return found.st_mtime_ns, found.st_size, found.st_ino


def _difference(before: WatchList, after: WatchList) -> str | None:
    old = {target.name: target for target in before.targets()}
    new = {target.name: target for target in after.targets()}
    added, gone = len(new.keys() - old.keys()), len(old.keys() - new.keys())
    changed = sum(new[name] != old[name] for name in new.keys() & old.keys())
    crons = [name for name in after.watches if _cron(before, name) != _cron(after, name)]
    parts = [
        *(
            f"{number} {what}"
            for number, what in ((added, "added"), (gone, "removed"), (changed, "changed"))
            if number
        ),
        *(f"{name}'s schedule is {_cron(after, name) or 'gone'}" for name in crons),
    ]
    return ", ".join(parts) or None


def _cron(watched: WatchList, name: str) -> str | None:
    return watched.watches[name].cron if name in watched.watches else None
