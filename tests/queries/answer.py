"""How the answers of the cookbook are written down."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Answer:
    """The rows that a query gives, in their order, of those columns."""

    query: str
    parameters: dict[str, Any]
    columns: str
    rows: list[tuple[Any, ...]]


def answer(query: str, columns: str, *rows: tuple[Any, ...], **parameters: Any) -> Answer:
    """Numbers with a fraction are meant exactly as they are written."""
    exact = [
        tuple(Decimal(str(value)) if isinstance(value, float) else value for value in row)
        for row in rows
    ]
    return Answer(query, parameters, columns, exact)


def of_sword(query: str, columns: str, *rows: tuple[Any, ...], **parameters: Any) -> Answer:
    return answer(query, columns, *rows, target="Sword", **parameters)
