"""The cookbook as who may only read."""

import pytest
import sqlalchemy as sa

from pipelines.analysis.frames import query
from tests.queries.answers import ANSWERS
from tests.security import conftest as security
from tests.security.conftest import Logins

admin_server = security.admin_server
migrated_by_owner = security.migrated_by_owner
logins = security.logins
holdfast = security.holdfast
clean_environment = security.clean_environment


@pytest.fixture
def as_reader(logins: Logins):
    engine = sa.create_engine(logins.url("reader"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_the_reader_may_ask_every_question(as_reader: sa.Connection):
    """On empty tables, where those that list targets or holders have nothing to list."""
    asked = {answer.query: answer.parameters for answer in ANSWERS}
    listed = {name: len(query(as_reader, name, **given)) for name, given in asked.items()}
    assert listed == dict.fromkeys(asked, 0)
