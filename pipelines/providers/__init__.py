"""What is particular to a provider, and nothing else: one file each.

`PROVIDERS` is the only list of them; everything else iterates over it.
"""

from pipelines.providers.altura import ALTURA
from pipelines.providers.catenis import CATENIS
from pipelines.providers.hiro import HIRO
from pipelines.providers.provider import Provider

PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in (ALTURA, HIRO, CATENIS)}

__all__ = ["PROVIDERS"]
