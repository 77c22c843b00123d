"""Results of the queries under sql/queries as pandas frames.

Amounts stay Decimal and times stay aware: frames are for people and checks, and a float would
round what a token contract holds.
"""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipelines.analysis.columns import refuse_same_names
from pipelines.paths import shipped

if TYPE_CHECKING:
    import pandas as pd

QUERIES = shipped("sql/queries")


def query(connection: sa.Connection, name: str, **parameters: object) -> "pd.DataFrame":
    """The result of sql/queries/<name>.sql, one column for each of its columns, dtype object.

    Raises ConfigurationError where two columns have the same name: a frame may have them, but its
    rows as dicts (JSON) would lose one.
    """
    import pandas as pd  # noqa: PLC0415 - takes 0.2 s, and many commands show no frame

    statement = sa.text((QUERIES / f"{name}.sql").read_text(encoding="utf-8"))
    result = connection.execute(statement, parameters)
    names = list(result.keys())
    refuse_same_names(names)
    return pd.DataFrame(result.all(), columns=names, dtype=object)
