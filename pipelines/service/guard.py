"""Who may ask Dagster's webserver for anything: its own pages and scripts, and no foreign page.

It has no login, and a browser sends requests to 127.0.0.1 for whatever page it shows. On
dagster-webserver 1.13.27 a foreign page could start runs by a `mutation` in the URL or in a body of
text, forge a materialization by an empty POST, read along by a websocket, and by a host name that
is turned to 127.0.0.1 (DNS rebinding) read the answers as well. So:

- the Host has to be one of ours (Starlette's TrustedHostMiddleware);
- a `query=` in the URL of /graphql is refused, whoever asks;
- what may change something (any method but GET and HEAD, and websockets) needs an Origin of its
  own, or a browser's word that it is (Sec-Fetch-Site: Fetch Metadata), or no sign of a browser.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL = ("127.0.0.1", "localhost")
READING = ("GET", "HEAD")
OWN_SITES = ("same-origin", "none")
"""Sec-Fetch-Site of our own pages, and of what a person does with the browser itself."""
DEFAULT_PORTS = {"http": 80, "https": 443}


def guards(allowed_hosts: Sequence[str]) -> list[Middleware]:
    """What a request passes first. `allowed_hosts`: names of ours beside the local ones, such as a
    proxy's."""
    hosts = [*LOCAL, *allowed_hosts]
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
        Middleware(OwnPagesAlone, allowed_hosts=tuple(allowed_hosts)),
    ]


class OwnPagesAlone:
    """Refuses what another page of the web asks for: 403, or 405 for a query in the URL."""

    def __init__(self, app: ASGIApp, allowed_hosts: tuple[str, ...]) -> None:
        self._app = app
        self._allowed = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (refusal := self._refusal(scope)):
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        path = scope["path"].rstrip("/")
        if path.endswith("/graphql") and "query" in QueryParams(scope["query_string"]):
            return PlainTextResponse(
                "A query in the URL is not answered: send it as JSON, by POST.\n",
                status_code=405,
                headers={"Allow": "POST"},
            )
        reads = scope["type"] == "http" and scope["method"] in READING
        if reads or self._is_own(Headers(scope=scope)):
            return None
        return PlainTextResponse(
            "This comes from a page of another origin. Behind a proxy of yours, put its host into"
            " HOLDFAST_ALLOWED_HOSTS.\n",
            status_code=403,
        )

    def _is_own(self, headers: Headers) -> bool:
        sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
        if any(site not in OWN_SITES for site in sites):
            return False
        own = headers.get("host", "").lower()
        return all(self._is_origin_of_ours(origin.lower(), own) for origin in origins)

    def _is_origin_of_ours(self, origin: str, host: str) -> bool:
        """Another port of this machine is another origin; a proxy has ports of its own."""
        try:
            parts = urlsplit(origin)
            port = DEFAULT_PORTS.get(parts.scheme)
        except ValueError:
            return False
        if parts.hostname in self._allowed:
            return True
        return bool(parts.netloc) and parts.netloc in (host, host.removesuffix(f":{port}"))
