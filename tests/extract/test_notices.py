"""What providers announce in the headers of their answers."""

from dataclasses import replace

import pytest

from pipelines.errors import RequestRefused
from pipelines.extract.notices import MOST, Notice, Notices
from pipelines.redaction import keep
from pipelines.sandbox.providers.hiro.api import GONE
from tests.extract.test_http import get

WARNING = '299 - "Deprecated: See https://docs.hiro.so/stacks/api for more information"'


def test_notices_of_answers_and_of_refusals_are_heard_once_each(connect, sandbox):
    dates = {"Deprecation": "@1688169599", "Sunset": "Sun, 11 Nov 2027 23:59:59 GMT"}
    sandbox.fault = lambda _, answer: replace(answer, headers={**answer.headers, **dates})
    client = connect("hiro", sandbox.url("hiro"))
    get(client)
    get(client)
    assert client.notices.heard == [
        Notice("deprecation", "@1688169599"),
        Notice("sunset", "Sun, 11 Nov 2027 23:59:59 GMT"),
    ]
    sandbox.before_response = lambda _: GONE
    with pytest.raises(RequestRefused):
        get(client)
    assert client.notices.heard[2:] == [Notice("warning", WARNING)]


def test_an_answer_without_them_says_nothing(connect, sandbox):
    client = connect("hiro", sandbox.url("hiro"))
    get(client)
    assert client.notices.heard == []


def test_a_notice_is_shortened_printable_and_without_secrets():
    key = "k" * 40
    keep(key)
    notices = Notices()
    notices.hear({"warning": f"299 - {key} \x1b[31m\u202e" + "x" * 1000})
    [notice] = notices.heard
    assert notice.text.startswith("299 - [secret] \\x1b[31m")
    assert notice.text.isprintable()
    assert len(notice.text) < 400


def test_a_server_that_says_something_else_each_time_fills_no_memory():
    notices = Notices()
    for number in range(10 * MOST):
        notices.hear({"warning": f"299 - {number}"})
    assert len(notices.heard) == MOST
