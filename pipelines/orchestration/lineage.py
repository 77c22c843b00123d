"""What stands before and after the assets in the lineage: the APIs, and the marts.

Dagster makes neither; they are there so that the picture tells where rows come from and where
people ask.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import dagster as dg

from pipelines.orchestration.after_snapshots import CONCENTRATION
from pipelines.orchestration.names import PLAIN, Names
from pipelines.providers.provider import Provider


@dataclass(frozen=True)
class View:
    """A view of the schema mart, and a question to begin with."""

    name: str
    description: str
    query: str

    @property
    def markdown(self) -> str:
        return f"{self.description}\n\n```sql\n{self.query}\n```"


CONCENTRATION_VIEW = View(
    "concentration",
    "How unevenly an item or asset is spread over its holders, over time.",
    "select snapshot_at, holders, top_10_share, gini, nakamoto\n"
    "from mart.concentration\n"
    "order by snapshot_at desc\n"
    "limit 100;",
)

VIEWS = (
    View(
        "holders_now",
        "Who holds how much of each asset now, over all providers.",
        "select * from mart.holders_now where rank <= 10;",
    ),
    View(
        "changes",
        "What changed from each snapshot to the next, over all providers.",
        "select * from mart.changes order by changed_until desc limit 100;",
    ),
    View(
        "supply_and_holders",
        "How many hold, how much in all, who came and went; one row a snapshot.",
        "select * from mart.supply_and_holders order by snapshot_at desc limit 100;",
    ),
    View(
        "freshness",
        "How old what we know of each target is, and what has failed since.",
        "select * from mart.freshness;",
    ),
)
"""Of the marts, those that most questions begin with; docs tell all of them."""


def api_spec(provider: Provider, url: str, called: Names = PLAIN) -> dg.AssetSpec:
    """The provider's API, which only answers what is so now."""
    return dg.AssetSpec(
        called.api(provider),
        description=f"{provider.title}'s API. It answers what is so now, a page at a time.",
        group_name=called.group,
        owners=called.owners,
        kinds={"api"},
        tags={"provider": provider.name},
        metadata={"api": dg.MetadataValue.url(url)},
    )


def view_specs(providers: Iterable[Provider], called: Names = PLAIN) -> Iterator[dg.AssetSpec]:
    """The marts, each after what it reads."""
    datasets = [called.dataset(provider) for provider in providers]
    for view in VIEWS:
        yield _view_spec(view, datasets, called)
    yield _view_spec(CONCENTRATION_VIEW, [called.key(CONCENTRATION)], called)


def _view_spec(view: View, reads: list[dg.AssetKey], called: Names) -> dg.AssetSpec:
    return dg.AssetSpec(
        called.key("mart", view.name),
        deps=reads,
        description=view.markdown,
        group_name=called.group,
        owners=called.owners,
        kinds={"postgres", "view"},
        metadata={"dagster/table_name": f"mart.{view.name}"},
    )
