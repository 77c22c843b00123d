"""Changes to targets.yaml that leave the rest of the file as it is, byte for byte.

People order and comment their lists. A library that writes YAML anew, even one that keeps comments,
moves blank lines and indentation that it has not been asked to touch; so lines are put in or taken
out where the parser says that an entry is, and the result is read again before it is written.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from pipelines.errors import ConfigurationError
from pipelines.paths import shipped
from pipelines.providers.provider import Target
from pipelines.targets import WatchList, load_targets, parse_targets

EXAMPLE = shipped("targets.example.yaml")


def make_list(path: Path) -> bool:
    """Make the list from the example; False, and nothing is changed, where there is a file.

    Only a person asks for this: in a wrong folder, a command that made a list on the spot would go
    on with targets that nobody asked for.

    Raises ConfigurationError where the file can't be written.
    """
    with _locked(path):
        if os.path.lexists(path):
            return False
        _write(path, _text(EXAMPLE))
    return True


def add_target(path: Path, target: Target) -> WatchList:
    """Put a target at the end of its provider's list; the file is made where there is none.

    Raises ConfigurationError where the file has mistakes, watches the target already, or is laid
    out so that the lines have to be added by hand (which it shows).
    """
    with _locked(path):
        text = _text(path)
        before = parse_targets(text, path) if _holds_anything(text) else WatchList(path, {})
        _refuse_twin(before, target)
        after = _reread(_with(text, target), path)
        if after is None or _names(after) != _names(before) | {target.name}:
            lines = "".join(_entry(target, 4))
            raise ConfigurationError(
                f"{path}: the list of {target.provider} is laid out in a way that these lines can't"
                f" be added to safely; add them by hand:\n{lines}"
            )
        _write(path, _with(text, target))
    return after


def remove_target(path: Path, target: Target) -> None:
    """Take a target out of the file.

    Raises ConfigurationError where it has to be removed by hand, saying from which line on.
    """
    with _locked(path):
        before = load_targets(path)
        text = _text(path)
        first, last = _lines_of(text, before, target)
        lines = text.splitlines(keepends=True)
        changed = "".join(lines[:first] + lines[last + 1 :])
        after = _reread(changed, path)
        if after is None or _names(after) != _names(before) - {target.name}:
            raise ConfigurationError(
                f"{path}:{first + 1}: {target.name} is laid out in a way that it can't be removed"
                " safely; remove it by hand"
            )
        _write(path, changed)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep others from changing the file meanwhile, by a lock on its folder: the file itself is
    replaced, and a lock file would lie about in the project."""
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _refuse_twin(watched: WatchList, target: Target) -> None:
    for known in watched.targets():
        if known.name == target.name:
            raise ConfigurationError(f"{watched.path} watches {target.name} already")
        if target.label and known.label == target.label:
            raise ConfigurationError(f"the label {target.label!r} is taken by {known.name}")


def _holds_anything(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _names(watched: WatchList) -> set[str]:
    return set(watched.names())


def _reread(text: str, path: Path) -> WatchList | None:
    try:
        return parse_targets(text, path)
    except ConfigurationError:
        return None


def _with(text: str, target: Target) -> str:
    """The file's text with the target's lines put in after the last ones of its provider."""
    root = yaml.compose(text, Loader=yaml.BaseLoader)
    watch = _value(root, target.provider)
    if watch is None:
        gap = "\n" if text.strip() else ""
        start = text if not text or text.endswith("\n") else f"{text}\n"
        block = [f"{target.provider}:\n", "  targets:\n", *_entry(target, 4)]
        return start + gap + "".join(block)
    entries = _value(watch, "targets")
    if entries is None:
        return _inserted(text, watch, ["  targets:\n", *_entry(target, 4)])
    is_list = isinstance(entries, yaml.SequenceNode) and bool(entries.value)
    column = entries.start_mark.column if is_list else 4
    return _inserted(text, entries, _entry(target, column))


def _inserted(text: str, node: yaml.Node, block: list[str]) -> str:
    """The text with a block after the node's last line; an empty [] or {} gives way to it."""
    newline = "\r\n" if "\r\n" in text else "\n"
    last = _last_line(node)
    if isinstance(node, yaml.CollectionNode) and not node.value:
        start, end = node.start_mark.index, node.end_mark.index
        text = text[:start].rstrip(" ") + text[end:]
        last = node.start_mark.line
    lines = text.splitlines(keepends=True)
    if not lines[last].endswith(("\n", "\r")):
        lines[last] += newline
    added = [line.replace("\n", newline) for line in block]
    return "".join(lines[: last + 1] + added + lines[last + 1 :])


def _entry(target: Target, column: int) -> list[str]:
    """The target as an item of a list, one line each, its label first."""
    fields = target.model_dump(mode="json", exclude_defaults=True)
    label = {"label": fields.pop("label")} if "label" in fields else {}
    written = yaml.dump(
        [label | fields], Dumper=_Indented, sort_keys=False, allow_unicode=True, width=10**6
    )
    return [" " * column + line for line in written.splitlines(keepends=True)]


class _Indented(yaml.SafeDumper):
    """Indents a list below its key, as the shipped file does."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)


def _lines_of(text: str, watched: WatchList, target: Target) -> tuple[int, int]:
    """The first and the last line of a target's entry, counted from 0."""
    root = yaml.compose(text, Loader=yaml.BaseLoader)
    entries = _value(_value(root, target.provider), "targets")
    names = [known.name for known in watched.watches[target.provider].targets]
    if not isinstance(entries, yaml.SequenceNode) or target.name not in names:
        raise ConfigurationError(f"{watched.path} has no target {target.name}")
    entry = entries.value[names.index(target.name)]
    return entry.start_mark.line, _last_line(entry)


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _last_line(node: yaml.Node) -> int:
    """The last line that a node has text on: the parser's own end is where the next one begins."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        end = node.end_mark
        return int(
            end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line
        )
    last = node.value[-1]
    return _last_line(last[1] if isinstance(node, yaml.MappingNode) else last)


def _text(path: Path) -> str:
    """What the file holds, nothing where there is none; read_text would turn \\r\\n into \\n."""
    try:
        return path.read_bytes().decode("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from None


def _write(path: Path, text: str) -> None:
    """Replace the file at once, with its mode; a link stays a link."""
    place = path.resolve()
    if place.exists() and not os.access(place, os.W_OK):
        raise ConfigurationError(f"cannot write {place}: it is read-only")
    try:
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8"))
            if place.exists():
                shutil.copymode(place, name)
                os.chown(name, place.stat().st_uid, place.stat().st_gid)  # root works for others
            else:
                Path(name).chmod(0o644)
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(f"cannot write {place}: {error.strerror}") from None
