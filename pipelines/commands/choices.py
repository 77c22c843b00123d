"""Arguments whose values are known: what the shell completes, and what is refused.

`holdfast --install-completion` sets completion up. It has no place for a message: where the list of
targets can't be read, there is nothing to offer.
"""

import difflib
from collections.abc import Callable, Collection
from typing import Annotated

import typer

from pipelines.errors import HoldfastError
from pipelines.providers import PROVIDERS
from pipelines.settings import load_settings
from pipelines.targets import load_targets
from pipelines.warehouse.schema import KINDS


def targets(incomplete: str) -> list[tuple[str, str]]:
    """Names of targets.yaml with their labels."""
    try:
        watched = load_targets(load_settings().holdfast_targets)
    except HoldfastError:
        return []
    known = [(target.name, target.label or "") for target in watched.targets()]
    return [(name, label) for name, label in known if name.startswith(incomplete)]


def _completing(known: Collection[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [value for value in known if value.startswith(incomplete)]

    return complete


def _refusing_others(known: Collection[str]) -> Callable[[str | None], str | None]:
    def check(value: str | None) -> str | None:
        if value is None or value in known:
            return value
        close = difflib.get_close_matches(value, known, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}{meant}")

    return check


ProviderArgument = Annotated[
    str,
    typer.Argument(
        help=f"{', '.join(PROVIDERS)}.",
        autocompletion=_completing(PROVIDERS),
        callback=_refusing_others(PROVIDERS),
    ),
]
ProviderOption = Annotated[
    str | None,
    typer.Option(
        "--provider",
        help=f"Only targets of {', '.join(PROVIDERS)}.",
        autocompletion=_completing(PROVIDERS),
        callback=_refusing_others(PROVIDERS),
    ),
]
ChangeOption = Annotated[
    str | None,
    typer.Option(
        "--change",
        help=f"Only {', '.join(KINDS)}.",
        autocompletion=_completing(KINDS),
        callback=_refusing_others(KINDS),
    ),
]
