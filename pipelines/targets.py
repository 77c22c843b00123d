"""targets.yaml, as typed targets.

Every mistake in the file is found at once and told with its line, what was found and what is
expected: whoever edits a list of hundreds of targets should not have to run it once a mistake.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cronsim import CronSim, CronSimError
from pydantic import ValidationError

from pipelines import yaml_lines
from pipelines.errors import ConfigurationError, mistaken
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import DEFAULT_LIST, Target, shorten
from pipelines.yaml_lines import Location

LIST_KEY = "list"
"""The key of targets.yaml that names the list; all others are providers."""
LONGEST_NAME = 100

_NAMES = re.compile(
    r"\b(sun|mon|tue|wed|thu|fri|sat|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\b",
    re.IGNORECASE,
)
"""Days and months, as a cron expression names them."""


@dataclass(frozen=True)
class Watch:
    """What is watched at one provider, and when: five cron fields in UTC, None for by hand only."""

    provider: str
    cron: str | None
    targets: tuple[Target, ...]

    def next_tick(self, after: datetime) -> datetime | None:
        """The first tick of the schedule after a moment; None where there is no schedule."""
        return next(CronSim(self.cron, after.astimezone(UTC)), None) if self.cron else None


@dataclass(frozen=True)
class WatchList:
    """All of targets.yaml. A provider that the file does not mention has no targets.

    `name` tells apart the lists that load into one warehouse: each retires only what it brought.
    """

    path: Path
    watches: dict[str, Watch]
    name: str = DEFAULT_LIST

    def targets(self) -> Iterator[Target]:
        for watch in self.watches.values():
            yield from watch.targets

    def names(self) -> list[str]:
        return [target.name for target in self.targets()]

    def changed_at(self) -> datetime:
        """When the file was last changed."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)

    def find(self, name: str) -> Target:
        """The target of that name or label. Raises ConfigurationError with what comes close."""
        named = {target.name: target for target in self.targets()}
        labelled = {target.label: target for target in self.targets() if target.label}
        found = named.get(name) or labelled.get(name)
        if found:
            return found
        close = difflib.get_close_matches(name, [*named, *labelled], n=3, cutoff=0.4)
        raise ConfigurationError(
            f"{self.path} has no target {name!r}; "
            + (f"did you mean {' or '.join(close)}?" if close else "see holdfast targets list")
        )


def no_list(path: Path) -> ConfigurationError:
    """What to say, and to do, where there is no list."""
    return ConfigurationError(
        f"no list of targets at {path}: make one from the example with holdfast targets init"
    )


def load_targets(path: Path) -> WatchList:
    """Read targets.yaml. Raises ConfigurationError that lists every mistake with its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise no_list(path) from None
    except OSError as error:
        raise ConfigurationError(f"cannot read the targets: {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from None
    return parse_targets(text, path)


def parse_targets(text: str, path: Path) -> WatchList:
    """As `load_targets`, from the text that is or will be in `path`."""
    try:
        document = yaml_lines.read(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from None
    except yaml_lines.Refused as error:
        raise ConfigurationError(f"{path} {error}") from None
    reader = _Reader(document)
    watches = reader.watches(document.data)
    name = reader.name(document.data)
    if reader.mistakes:
        places = [f"{path}:{line}: {text}" for line, text in sorted(reader.mistakes)]
        raise mistaken("the targets", places)
    return WatchList(path, watches, name)


def make_target(provider: str, entry: Mapping[str, object]) -> Target:
    """A target of that provider. Raises ConfigurationError that lists every mistake."""
    try:
        return PROVIDERS[provider].target_type.model_validate(entry)
    except ValidationError as error:
        texts = [text for _, text in _mistakes(provider, error)]
        raise mistaken(f"the {provider} target", texts) from None


class _Reader:
    """Turns the file's plain data into targets, collecting mistakes."""

    def __init__(self, document: yaml_lines.Document) -> None:
        self._lines = document.lines
        self._labels: dict[str | None, int] = {}  # of all providers: people call targets by them
        self.mistakes = [
            (doubled.line, f"{doubled.key} is given twice, see line {doubled.first}")
            for doubled in document.doubled
        ]

    def mistake(self, at: Location, text: str) -> None:
        known = next(
            at[:end] for end in range(len(at), -1, -1) if at[:end] in self._lines or not end
        )
        self.mistakes.append((self._lines.get(known, 1), text))

    def watches(self, data: Any) -> dict[str, Watch]:
        if not isinstance(data, dict):
            self.mistake((), f"expected a mapping of providers ({', '.join(PROVIDERS)})")
            return {}
        for name in data.keys() - PROVIDERS.keys() - {LIST_KEY}:
            self.mistake((name,), f"{name!r} is no provider; there are {', '.join(PROVIDERS)}")
        return {name: self._watch(name, data[name] or {}) for name in PROVIDERS if name in data}

    def name(self, data: Any) -> str:
        name = (data.get(LIST_KEY) if isinstance(data, dict) else None) or DEFAULT_LIST
        if not isinstance(name, str) or len(name) > LONGEST_NAME or not name.isprintable():
            found = shorten(repr(name))
            self.mistake(
                (LIST_KEY,),
                f"list: expected a name of 1 to {LONGEST_NAME} characters, found {found}",
            )
            return DEFAULT_LIST
        return name

    def _watch(self, provider: str, data: Any) -> Watch:
        if not isinstance(data, dict):
            self.mistake((provider,), "expected cron and targets")
            return Watch(provider, None, ())
        for key in data.keys() - {"cron", "targets"}:
            self.mistake((provider, key), f"unknown key {key!r}; there are cron and targets")
        cron = data.get("cron") or None
        if cron is not None and (fault := _fault_of_cron(cron)):
            self.mistake((provider, "cron"), f"cron: {fault}, found {cron!r}")
        entries = data.get("targets") or []
        if not isinstance(entries, list):
            self.mistake((provider, "targets"), "expected a list of targets")
            return Watch(provider, cron, ())
        return Watch(provider, cron, tuple(self._targets(provider, entries)))

    def _targets(self, provider: str, entries: list[Any]) -> Iterator[Target]:
        first_lines: dict[str, int] = {}
        for index, entry in enumerate(entries):
            at: Location = (provider, "targets", index)
            target = self._target(provider, at, entry)
            if target is None:
                continue
            if target.name in first_lines:
                line = first_lines[target.name]
                self.mistake(at, f"{target.name} is already watched, see line {line}")
                continue
            if target.label in self._labels:
                self.mistake(
                    at,
                    f"the label {target.label!r} is taken, see line {self._labels[target.label]}",
                )
                continue
            if "..." in target.name:
                self.mistake(at, f"{target.name} holds '...', which Dagster keeps for ranges")
                continue
            first_lines[target.name] = self._lines[at]
            if target.label:
                self._labels[target.label] = self._lines[at]
            yield target

    def _target(self, provider: str, at: Location, entry: Any) -> Target | None:
        try:
            return PROVIDERS[provider].target_type.model_validate(entry)
        except ValidationError as error:
            for location, text in _mistakes(provider, error):
                self.mistake((*at, *location), text)
            return None


def _mistakes(provider: str, error: ValidationError) -> Iterator[tuple[Location, str]]:
    """What is wrong with a target: in which of its fields, what is expected, what was found."""
    fields = PROVIDERS[provider].target_type.model_fields
    meant = set()
    mistakes = error.errors(include_url=False)
    for mistake in mistakes:
        if mistake["type"] == "extra_forbidden":
            key = str(mistake["loc"][-1])
            close = difflib.get_close_matches(key, fields, n=1)
            meant.update(close)
            yield mistake["loc"], f"unknown key {key!r}{_known_keys(provider, key, close)}"
    for mistake in mistakes:
        name = str(mistake["loc"][0]) if mistake["loc"] else ""
        found = shorten(repr(mistake["input"]))
        if mistake["type"] == "missing" and name not in meant:
            yield mistake["loc"], f"{name} is missing: expected {fields[name].description}"
        elif mistake["type"] == "value_error":
            yield mistake["loc"], f"{name}: {mistake['msg'].removeprefix('Value error, ')}"
        elif name in fields and mistake["type"] != "missing":
            yield mistake["loc"], f"{name}: expected {fields[name].description}, found {found}"
        elif not name:
            keys = ", ".join(fields)
            yield (), f"expected a target with keys of {keys}, found {found}"


def _known_keys(provider: str, key: str, close: list[str]) -> str:
    if close:
        return f", did you mean {close[0]}?"
    others = [name for name, other in PROVIDERS.items() if key in other.target_type.model_fields]
    known = ", ".join(PROVIDERS[provider].target_type.model_fields)
    belongs = f", which is of {' and '.join(others)}" if others else ""
    return f"{belongs}; {provider} has {known}"


def _fault_of_cron(cron: object) -> str | None:
    """What is wrong with a cron expression, or None. Dagster reads fewer of the ways to write one
    than others do: what only some understand (L, W, #) is refused."""
    if not isinstance(cron, str) or len(cron.split()) != 5:
        return "expected five fields (minute, hour, day of month, month, day of week)"
    if unknown := re.search(r"[^\s\d*,/-]+", _NAMES.sub("1", cron)):
        return f"{unknown[0]!r} means nothing here, expected numbers, names, * , - and /"
    try:
        CronSim(cron, datetime.now(UTC))
    except CronSimError as error:
        return f"{str(error).lower()}, expected such as 7 * * * * or */30 6-18 * * 1-5"
    return None
