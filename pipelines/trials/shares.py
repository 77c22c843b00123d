"""The work of a trial in shares, so that it can be done in pieces and go on another day.

A share that is done is kept in a file, one line each, and is not run again: not by the same code
with the same seed. Where the code is another, what it did before shows nothing any more.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pipelines
from pipelines.trials.kinds import TrialWorld
from pipelines.trials.tally import Tally

SHARE = 250
"""Accepted walks that one task of a process takes: a minute or so."""
NAIVE_PART = 4
"""Accepted walks for each naive one, of which a world has `FEWEST_NAIVE` at least."""
FEWEST_NAIVE = 400
"""In a gentle world one in thirty of the naive walks that are accepted is wrong. Of sixty of them,
none is: one time in eight. That made worlds "no evidence" that are."""
FEWEST_NAIVE_IF_SLOW = 100


@dataclass(frozen=True)
class Share:
    """`walks` accepted by the proof of a world, and `naive` ones beside them. With `spoil`, one
    snapshot loses a row before it is judged."""

    world: str
    seed: str
    walks: int
    naive: int
    spoil: bool = False


def shares_of(walks_of: Mapping[TrialWorld, int], seed: int, *, spoil: bool) -> list[Share]:
    """All shares, one of each world after the other, so that wherever one stops no world is left
    out."""
    each = [_of_world(kind, walks, seed, spoil=spoil) for kind, walks in walks_of.items()]
    return [share for share in chain.from_iterable(zip_longest(*each)) if share]


def _of_world(kind: TrialWorld, walks: int, seed: int, *, spoil: bool) -> Iterator[Share]:
    fewest = FEWEST_NAIVE_IF_SLOW if kind.slow else FEWEST_NAIVE
    begins = range(0, walks, SHARE)
    naive = -(-max(walks // NAIVE_PART, fewest) // len(begins))
    for begin in begins:
        share = min(SHARE, walks - begin)
        yield Share(kind.name, f"{seed}/{begin}", share, naive, spoil and begin == 0)


class Kept:
    """The shares that are done, in a file. A line that can't be read is a share that was not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._code = code_digest()

    def done(self) -> dict[Share, Tally]:
        if not self._path.exists():
            return {}
        found = {}
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                kept = json.loads(line)
                if kept["code"] == self._code:
                    found[Share(**kept["share"])] = _tally(kept["tally"])
            except (ValueError, KeyError, TypeError):
                continue  # it was being written when the machine stopped
        return found

    def add(self, share: Share, tally: Tally) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"code": self._code, "share": vars(share), "tally": vars(tally)})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


def _tally(fields: dict[str, Any]) -> Tally:
    return Tally(**fields | {name: Counter(fields[name]) for name in ("accepted", "wrong")})


def code_digest() -> str:
    """One value over the source of all that a trial runs."""
    folder = Path(pipelines.__file__).parent
    total = sha256()
    for path in sorted(folder.rglob("*.py")):
        total.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]
