"""What providers say about the end of what is asked for, with when it was first and last said."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from pipelines.extract.notices import Notice
from pipelines.warehouse.schema import provider_notice
from pipelines.warehouse.text import escape

MOST = 50
"""Notices that are kept of a provider, those that were said last."""


def keep_notices(connection: sa.Connection, provider: str, notices: Sequence[Notice]) -> None:
    """Remember what an hour's or a day's answers said; what was said before is only said again."""
    if not notices:
        return
    table = provider_notice.c
    said = insert(provider_notice).values(
        [{"provider": provider, "header": n.header, "text": escape(n.text)} for n in notices]
    )
    connection.execute(
        said.on_conflict_do_update(
            index_elements=[table.provider, table.header, table.text],
            set_={"last_seen_at": sa.func.clock_timestamp()},
        )
    )
    old = (
        sa.select(table.notice_id)
        .where(table.provider == provider)
        .order_by(table.last_seen_at.desc(), table.notice_id.desc())
        .offset(MOST)
    )
    connection.execute(provider_notice.delete().where(table.notice_id.in_(old)))
