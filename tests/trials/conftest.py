"""Trials that take nothing from the environment of the tests."""

import pytest

from tests.conftest import forget_environment


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no setting of the machine's."""
    forget_environment(monkeypatch)
