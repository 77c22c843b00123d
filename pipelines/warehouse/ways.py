"""Which of a provider's APIs is asked, where earlier runs found the first one gone."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from pipelines.providers.provider import Provider
from pipelines.providers.way import Way
from pipelines.warehouse.schema import provider_api

AGAIN = timedelta(days=1)
"""After so long the first API is asked again: it may be back."""


def api_in_use(connection: sa.Connection, provider: str) -> str | None:
    """The API that a run begins with; None for the first one, also when its turn has come again,
    which is noted: the other runs of that day go on with its successor."""
    mine = provider_api.c.provider == provider
    now = sa.func.clock_timestamp()
    due = provider_api.update().where(mine, provider_api.c.tried_at < now - AGAIN)
    if connection.execute(due.values(tried_at=now)).rowcount:
        return None
    found: str | None = connection.scalar(sa.select(provider_api.c.api).where(mine))
    return found


def keep_api(connection: sa.Connection, provider: Provider, way: Way) -> None:
    """Remember which API a run ended with."""
    if way.api == provider.ways[0].api:
        mine = provider_api.c.provider == provider.name
        connection.execute(provider_api.delete().where(mine))
        return
    connection.execute(
        insert(provider_api)
        .values(provider=provider.name, api=way.api)
        .on_conflict_do_nothing(index_elements=[provider_api.c.provider])
    )
