"""Reads settings classes from the environment and `.env`, and collects every mistake in them.

A name with one of our prefixes that is no setting is a mistyped one: an error in `.env`, which is
ours; in the environment a warning, since other software may use such a name there.
"""

import difflib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from pipelines.env_file import EnvFile, Mistake, read_env_file
from pipelines.errors import ConfigurationError, mistaken
from pipelines.redaction import keep, keep_password_of
from pipelines.variables import Variable, variables

logger = logging.getLogger(__name__)

OWN_PREFIX = "HOLDFAST_"
"""The prefix of the settings that belong to no provider, except for DATABASE_URL."""
INTERNAL_NAMES = frozenset({"HOLDFAST_SERVICE"})
"""Names that Holdfast gives to processes of its own, no settings: HOLDFAST_SERVICE marks those of a
supervised service."""
OTHERS = 0o044
"""A file's mode, where others than its owner may read it."""
LONGEST_SHOWN, LONGEST_NUMBER_SHOWN = 100, 20
"""Characters of a bad value that a message shows; no number is as long as a key."""
ALMOST_THE_SAME = 0.9
"""difflib's likeness of names of twelve letters with one wrong, missing or exchanged."""

Kind = TypeVar("Kind", bound=BaseSettings)


@contextmanager
def reading(env_file: Path | None, kinds: Sequence[type[BaseSettings]]) -> Iterator["Reading"]:
    """One look at the environment and at `env_file`, to read those settings classes.

    Raises ConfigurationError at the end of the block, naming each mistake and its place.
    """
    known = {variable.name: variable for kind in kinds for variable in variables(kind)}
    look = Reading(read_env_file(env_file, known), known)
    look.find_mistyped(tuple(kind.model_config.get("env_prefix") or OWN_PREFIX for kind in kinds))
    yield look
    if mistakes := sorted(look.mistakes, key=lambda mistake: mistake.line or float("inf")):
        raise mistaken("the settings", [str(mistake) for mistake in mistakes])


class Reading:
    """The values of the environment over those of the file; empty ones are as good as none."""

    def __init__(self, file: EnvFile, known: Mapping[str, Variable]) -> None:
        self.mistakes = list(file.mistakes)
        self._file = file
        self._known = known
        environment = {name.upper(): value for name, value in os.environ.items() if value}
        self._values = {**file.values, **environment}
        self._only_in_file = file.values.keys() - environment.keys()
        self._secrets = [
            value for name, value in self._values.items() if name in known and known[name].secret
        ]
        if any(name in known and known[name].secret for name in file.values):
            _mention_readers(file.path)
        for secret in self._secrets:
            keep_password_of(secret) if "://" in secret else keep(secret)

    def read(self, kind: type[Kind]) -> Kind:
        """The settings; defaults where there are mistakes, which `reading` then raises."""
        known = {variable.field: variable for variable in variables(kind)}
        given: dict[str, Any] = {
            field: self._values[variable.name]
            for field, variable in known.items()
            if variable.name in self._only_in_file
        }
        try:
            return kind(_env_file=None, **given)
        except ValidationError as error:
            for mistake in error.errors(include_input=False, include_url=False):
                variable = known[str(mistake["loc"][0])]
                self._found(variable.name, self._fault(variable, mistake["type"], mistake["msg"]))
            return cast("Kind", kind.model_construct())

    def check(self, name: str, parse: Callable[[str], object]) -> None:
        """Collect the ConfigurationError that `parse` raises for a variable's value, if given."""
        if name not in self._values:
            return
        try:
            parse(self._values[name])
        except ConfigurationError as error:
            self._found(name, error.message)

    def find_mistyped(self, prefixes: tuple[str, ...]) -> None:
        """Collect the file's names that are no settings, and log those of the environment.

        Without a prefix of ours only what comes close to a setting that has none is mistyped.
        """
        bare = [name for name in self._known if not name.startswith(prefixes)]
        for name, line in self._file.lines.items():
            if name not in self._known and (name.startswith(prefixes) or _is_close(name, bare)):
                self.mistakes.append(Mistake(self._no_setting(name), self._file.path, line))
        no_mistake = {*self._known, *INTERNAL_NAMES, *self._file.lines}
        for name in sorted(os.environ):
            if name.upper().startswith(prefixes) and name.upper() not in no_mistake:
                logger.warning("%s", self._no_setting(name))

    def _no_setting(self, name: str) -> str:
        meant = difflib.get_close_matches(name.upper(), self._known, n=1)
        hint = f"did you mean {meant[0]}?" if meant else "docs/configuration.md lists them"
        return f"{name} is no setting; {hint}"

    def _fault(self, variable: Variable, kind: str, said: str) -> str:
        if kind == "missing":
            return f"{variable.name} is missing: {variable.meaning}"
        expected = f"expected {variable.accepts}"
        fault = said.removeprefix("Value error, ") if kind == "value_error" else expected
        return f"{variable.name} is {self._shown(variable)}: {fault}"

    def _shown(self, variable: Variable) -> str:
        """A bad value, unless it is a secret, also one that stands in a wrong place."""
        value = self._values[variable.name]
        longest = LONGEST_NUMBER_SHOWN if "number" in variable.accepts else LONGEST_SHOWN
        hidden = variable.secret or len(value) > longest or not set(value).isdisjoint("@?#")
        if hidden or any(secret in value for secret in self._secrets):
            return f"a text of {len(value)} characters (not shown)"
        return repr(value)

    def _found(self, name: str, text: str) -> None:
        """Dagster puts what `.env` holds into the environment: the same value is the file's."""
        if name in self._file.values and self._file.values[name] == self._values[name]:
            self.mistakes.append(Mistake(text, self._file.path, self._file.lines[name]))
        else:
            self.mistakes.append(Mistake(text))


@cache
def _mention_readers(path: Path | None) -> None:
    """Say once that others may read a file with secrets in it."""
    if path and path.stat().st_mode & OTHERS:
        logger.warning("others may read %s, which holds credentials: chmod 600 %s", path, path)


def _is_close(name: str, settings: list[str]) -> bool:
    """DATABASE_URI comes close to DATABASE_URL; DATABASE_USER and DATABASE_URL_TEST do not."""
    return any(
        difflib.SequenceMatcher(None, name, setting).ratio() >= ALMOST_THE_SAME
        and not name.startswith(f"{setting}_")
        for setting in settings
    )
