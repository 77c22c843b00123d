"""What the shell can complete: `holdfast --install-completion` sets it up.

A completion has no place for a message: where the list can't be read, there is nothing to offer.
"""

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


def providers(incomplete: str) -> list[str]:
    return [name for name in PROVIDERS if name.startswith(incomplete)]


def kinds(incomplete: str) -> list[str]:
    """Kinds of change."""
    return [kind for kind in KINDS if kind.startswith(incomplete)]
