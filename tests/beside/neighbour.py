"""Another team's code location in the same Dagster: an asset downstream of one of Holdfast's, and
one of its own that has the name of one of Holdfast's."""

import dagster as dg

HOLDINGS = dg.AssetKey(["company", "hiro_nft_holdings"])


@dg.asset(deps=[HOLDINGS])
def dashboard() -> None:
    """What the other team makes of the holdings."""


@dg.asset
def report() -> None:
    """A page of the other team's own."""


defs = dg.Definitions(assets=[dashboard, report])
