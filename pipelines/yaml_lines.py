"""YAML as plain data, with the line of each value, read in one pass.

Scalars stay text: YAML would make a number of an unquoted 0x… address. The parser's events are
followed with a stack of our own, so that no file, however it is nested, ends in a recursion (in
libyaml, that is the end of the whole process), and what an alias stands for is counted before it is
put in: ten lines of ten aliases each are ten thousand million values.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Location = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

MOST_LEVELS = 20
MOST_REPEATED = 100_000
"""Values that aliases may stand for, all together."""

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""libyaml's is seven times as fast, where PyYAML was built with it."""


class Refused(Exception):
    """Why nobody should walk through a file, as the end of a sentence about it."""


@dataclass(frozen=True)
class Doubled:
    """A key that a mapping has already, with the line of the first."""

    key: str
    line: int
    first: int


@dataclass(frozen=True)
class Document:
    """`lines` count from 1; a value that is behind a key is where its key is."""

    data: Any
    lines: dict[Location, int]
    doubled: list[Doubled]


@dataclass
class _Open:
    """A list or mapping that has not ended."""

    value: Any
    at: Location
    first_line: int
    anchor: str | None
    begins: int
    key: str | None = None
    keys: dict[str, int] = field(default_factory=dict)
    levels: int = 1


@dataclass(frozen=True)
class _Anchored:
    """What an alias stands for, with the lines inside, by the locations below it."""

    value: Any
    levels: int = 0
    inside: tuple[tuple[Location, int], ...] = ()


def read(text: str) -> Document:
    """The one document in `text`; `data` is None where there is none. Raises yaml.YAMLError, and
    Refused."""
    return _Reading().run(yaml.parse(text, Loader=_LOADER))


class _Reading:
    def __init__(self) -> None:
        self._data: Any = None
        self._documents = 0
        self._lines: dict[Location, int] = {}
        self._order: list[Location] = []
        self._doubled: list[Doubled] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._repeated = 0

    def run(self, events: Iterator[Any]) -> Document:
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._begin(event, {} if kind is yaml.MappingStartEvent else [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                self._documents += 1
                if self._documents > 1:
                    raise _fault(event, "expected a single document")
        return Document(self._data, self._lines, self._doubled)

    def _scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        inner = self._open[-1] if self._open else None
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(event.value)
        if inner is not None and type(inner.value) is dict and inner.key is None:
            self._key(inner, event.value, line)
        else:
            self._put(event.value, line)

    def _key(self, inner: _Open, key: str, line: int) -> None:
        if key in inner.keys:
            self._doubled.append(Doubled(key, line, inner.keys[key]))
        inner.keys[key] = line
        inner.key = key

    def _begin(self, event: Any, value: Any) -> None:
        if self._open and type(self._open[-1].value) is dict and self._open[-1].key is None:
            raise _fault(event, "expected text as a key")
        if len(self._open) >= MOST_LEVELS:
            raise Refused("is nested more deeply than any list is")
        line = event.start_mark.line + 1
        at = self._put(value, line)
        self._anchors.pop(event.anchor, None)
        self._open.append(_Open(value, at, line, event.anchor, len(self._order)))

    def _end(self) -> None:
        ended = self._open.pop()
        if self._open:
            self._open[-1].levels = max(self._open[-1].levels, ended.levels + 1)
        if ended.anchor is not None:
            depth = len(ended.at)
            inside = tuple((at[depth:], self._lines[at]) for at in self._order[ended.begins :])
            self._anchors[ended.anchor] = _Anchored(ended.value, ended.levels, inside)

    def _alias(self, event: Any) -> None:
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            raise _fault(event, f"found undefined alias {event.anchor!r}")
        line = event.start_mark.line + 1
        inner = self._open[-1]
        if type(inner.value) is dict and inner.key is None:
            if not isinstance(anchored.value, str):
                raise _fault(event, "expected text as a key")
            self._key(inner, anchored.value, line)
            return
        if len(self._open) + anchored.levels > MOST_LEVELS:
            raise Refused("is nested more deeply than any list is")
        self._repeated += 1 + len(anchored.inside)
        if self._repeated > MOST_REPEATED:
            raise Refused(
                "repeats the same lines too often by its aliases (*name): write the targets out"
            )
        inner.levels = max(inner.levels, anchored.levels + 1)
        at = self._put(anchored.value, line)
        for below, known in anchored.inside:
            self._note((*at, *below), known)

    def _put(self, value: Any, line: int) -> Location:
        """Put a value where it belongs, and note its line."""
        if not self._open:
            self._data = value
            self._note((), line)
            return ()
        inner = self._open[-1]
        if type(inner.value) is list:
            at = (*inner.at, len(inner.value))
            inner.value.append(value)
        else:
            key = str(inner.key)
            at = (*inner.at, key)
            line = inner.keys[key]
            inner.value[key] = value
            inner.key = None
        self._note(at, line)
        return at

    def _note(self, at: Location, line: int) -> None:
        self._lines[at] = line
        self._order.append(at)


def _fault(event: Any, what: str) -> yaml.YAMLError:
    return yaml.composer.ComposerError(None, None, what, event.start_mark)
