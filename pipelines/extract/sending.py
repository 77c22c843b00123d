"""Requests to one base URL, sent with as little work for each as there can be.

What `requests.Session.get` gathers anew for every request (the environment's proxies and CA bundle,
the headers, the parts of the URL) stays the same while a client lives: it is gathered once. The
rest of a session is not wanted: it follows redirects (and reads the whole body beside one, without
a bound), keeps cookies and reads netrc.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import default_headers


class Sender:
    """Sends GETs to one base URL; safe to share between threads.

    `auth` completes each request as it goes out. `timeouts`: seconds to wait for a connection, and
    for each piece of the answer.
    """

    def __init__(
        self,
        base_url: str,
        adapter: HTTPAdapter,
        *,
        headers: Mapping[str, str],
        auth: AuthBase,
        timeouts: tuple[float, float],
    ) -> None:
        self._base_url = base_url
        self._adapter = adapter
        self._headers = headers
        self._auth = auth
        self._timeouts = timeouts

    def get(self, target: str, headers: Sequence[tuple[str, str]] = ()) -> requests.Response:
        """The answer to a GET of base URL and `target` (path and query, encoded) with some more
        headers; its body is still to be read. Raises requests.RequestException."""
        request = self._model.copy()
        request.url = self._prefix + target
        request.headers.update(headers)
        request = self._auth(request)
        return self._adapter.send(request, timeout=self._timeouts, **self._environment)

    def close(self) -> None:
        self._adapter.close()

    @cached_property
    def _model(self) -> requests.PreparedRequest:
        """A request for the base URL itself, which all others are copies of."""
        headers = {**default_headers(), **self._headers}
        return requests.Request("GET", self._base_url, headers=headers).prepare()

    @cached_property
    def _prefix(self) -> str:
        return (self._model.url or "").rstrip("/")

    @cached_property
    def _environment(self) -> Mapping[str, Any]:
        """Proxies and certificates, as the environment has them at the first request; and that the
        body is not to be read at once."""
        with requests.Session() as session:
            return {**session.merge_environment_settings(self._base_url, {}, True, None, None)}
