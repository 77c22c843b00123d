"""One of the APIs that lead to a provider's rows."""

from dataclasses import dataclass

from pipelines.providers.pages import Cursors, Positions
from pipelines.providers.proofs import Proof

AUTO = "auto"
"""In place of the name of an API: the first one until it is gone, then its successor."""


@dataclass(frozen=True)
class Way:
    """One of a provider's APIs to the same rows: its name, and what can be proven by it."""

    api: str
    addressing: Positions | Cursors
    proofs: tuple[Proof, ...]
