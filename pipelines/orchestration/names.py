"""How the assets are called in Dagster: their keys, and what else a company's rules ask of each.

In a Dagster with other code locations `report` or `concentration` may be somebody else's, so that
all keys can get a prefix. Everything that speaks of an asset takes its key from here.
"""

from dataclasses import dataclass

import dagster as dg

from pipelines.providers.provider import Provider
from pipelines.settings import Settings


@dataclass(frozen=True)
class Names:
    """`prefix` stands before the name in each key; `owners` are e-mail addresses or `team:…`."""

    prefix: tuple[str, ...] = ()
    group: str = "holdfast"
    owners: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Names":
        return cls(
            tuple(filter(None, settings.holdfast_asset_prefix.split("/"))),
            settings.holdfast_asset_group,
            tuple(filter(None, settings.holdfast_asset_owners.split(","))),
        )

    def key(self, *parts: str) -> dg.AssetKey:
        return dg.AssetKey([*self.prefix, *parts])

    def dataset(self, provider: Provider) -> dg.AssetKey:
        return self.key(provider.dataset.name)

    def api(self, provider: Provider) -> dg.AssetKey:
        """The asset that stands for a provider's API in the lineage; nobody materializes it."""
        return self.key(f"{provider.name}_api")

    def op(self, provider: Provider) -> str:
        """The step that takes the snapshots, as a run's configuration names it."""
        return self.dataset(provider).to_python_identifier()


PLAIN = Names()
