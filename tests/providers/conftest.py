"""What providers really answered, kept under tests/reference."""

from collections.abc import Callable
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[1] / "reference"

Recorded = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Recorded]:
    """recorded("hiro/shapes/limit3.http") → (status, headers in lower case, body)."""

    def read(name: str) -> Recorded:
        head, _, body = (REFERENCE / name).read_bytes().partition(b"{")
        status_line, *header_lines = head.decode().split("\n")
        headers = dict(line.strip().split(": ", 1) for line in header_lines if line.strip())
        lower = {key.lower(): value for key, value in headers.items()}
        return int(status_line.split()[1]), lower, b"{" + body

    return read
