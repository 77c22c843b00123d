"""Requests to one base URL, sent with as little work for each as there can be.

What `requests.Session.get` gathers anew for every request (the environment's proxies and CA bundle,
the headers, the parts of the URL) stays the same while a client lives: it is gathered once. The
rest of a session is not wanted: it follows redirects (and reads the whole body beside one, without
a bound), keeps cookies and reads netrc.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import default_headers, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from pipelines.errors import ConfigurationError
from pipelines.redaction import keep_password_of


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
        headers; its body is still to be read.

        Raises requests.RequestException, and ConfigurationError where the environment names a proxy
        or certificates that can't be used."""
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
        body is not to be read at once. Raises ConfigurationError for those that can't be used."""
        with requests.Session() as session:
            given = session.merge_environment_settings(self._base_url, {}, True, None, None)
        found: dict[str, Any] = {**given}
        for proxy in found["proxies"].values():
            keep_password_of(proxy)
        proxy = select_proxy(self._base_url, found["proxies"])
        if proxy and not _is_usable(proxy):
            raise ConfigurationError(
                f"the proxy for {self._base_url} is not http://user:password@host:port: check"
                " HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or name the host in NO_PROXY"
            )
        if isinstance(found["verify"], str) and not Path(found["verify"]).exists():
            raise ConfigurationError(
                f"there are no certificates in {found['verify']}: check REQUESTS_CA_BUNDLE and"
                " CURL_CA_BUNDLE"
            )
        return found


def _is_usable(proxy: str) -> bool:
    try:
        return bool(parse_url(proxy if "://" in proxy else f"http://{proxy}").host)
    except LocationParseError:
        return False
