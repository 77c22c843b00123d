"""What stands before and after the assets in the lineage: the APIs, and the views over all tables.

Dagster makes neither; they are there so that the picture tells where rows come from and where
people ask.
"""

from collections.abc import Iterable, Iterator

import dagster as dg

from pipelines.orchestration.assets import api_key
from pipelines.providers.provider import Provider

VIEWS = {
    "positions": "Who held how much of what, and when, over all providers; valid_to is null for"
    " what holds now.\n\n```sql\nselect * from positions where valid_to is null;\n```",
    "positions_changes": "What changed between any two snapshots, over all providers.\n\n```sql\n"
    "select * from positions_changes order by changed_until desc limit 100;\n```",
}


def api_spec(provider: Provider, url: str) -> dg.AssetSpec:
    """The provider's API, which only answers what is so now."""
    return dg.AssetSpec(
        api_key(provider),
        description=f"{provider.title}'s API. It answers what is so now, a page at a time.",
        group_name="holdfast",
        kinds={"api"},
        tags={"provider": provider.name},
        metadata={"api": dg.MetadataValue.url(url)},
    )


def view_specs(providers: Iterable[Provider]) -> Iterator[dg.AssetSpec]:
    """The views that unite all datasets."""
    datasets = [provider.dataset.name for provider in providers]
    for name, description in VIEWS.items():
        yield dg.AssetSpec(
            name,
            deps=datasets,
            description=description,
            group_name="holdfast",
            kinds={"postgres", "view"},
            metadata={"dagster/table_name": f"public.{name}"},
        )
