"""Dagster's pages in a real browser, as `holdfast up` serves them: its own pages work, another page
of the web can do nothing with them. Run by `make test-browser`."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pipelines.service.webserver import Webserver
from tests.browser.chromium import Page, chromium
from tests.end_to_end.test_service import TARGETS_OF_DEMO, Service
from tests.patience import PATIENCE, wait_until

pytestmark = pytest.mark.browser

FORGED = "report_asset_materialization/altura_item_holders?partition=forged"
DRIVE = """(async () => {
  const dagster = "%s", outcomes = {};
  const stop = 'mutation { reloadWorkspace { __typename } }';
  const post = (path, type, body) => fetch(dagster + path, {
    method: "POST", mode: "no-cors", headers: {"Content-Type": type}, body
  }).then(() => "sent", () => "refused");
  outcomes.text = await post(`/graphql?query=${stop}`, "text/plain", "");
  outcomes.body = await post("/graphql", "text/plain", JSON.stringify({query: stop}));
  outcomes.forged = await post("/FORGED", "text/plain", "");
  outcomes.url = await fetch(`${dagster}/graphql?query=${stop}`, {mode: "no-cors"})
    .then(() => "sent", () => "refused");
  outcomes.read = await fetch(`${dagster}/server_info`).then((answer) => answer.text(), () => "no");
  outcomes.socket = await new Promise((resolve) => {
    const socket = new WebSocket(dagster.replace("http", "ws") + "/graphql", "graphql-ws");
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
  });
  return outcomes;
})()""".replace("FORGED", FORGED)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service"))
    try:
        service.start()
        wait_until(lambda: service.snapshots() >= TARGETS_OF_DEMO, "the first snapshots")
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    rebound = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    with chromium(tmp_path_factory.mktemp("browser"), rebound) as opened:
        yield opened


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """The address of another page of the web."""
    (tmp_path / "index.html").write_text("<title>Another page</title>hello")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **named) -> None:
            super().__init__(*arguments, directory=str(tmp_path), **named)

        def log_message(self, *arguments) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"localhost:{server.server_port}"
        server.shutdown()
        thread.join(PATIENCE)


def test_the_pages_their_files_and_live_logs_work(page: Page, running: Service):
    page.open(f"{running.address}/assets")
    page.wait_for("hiro_nft_holdings")
    [run, *_] = [run for run in running.runs() if run.job_name == "hiro_snapshots"]
    page.open(f"{running.address}/runs/{run.run_id}")
    page.wait_for("hiro_nft_holdings")
    wait_until(lambda: bool(page.text()) and run.run_id in page.frames(), "live logs")
    refused = {url: code for url, code in page.statuses().items() if code >= 400}
    assert refused == {}
    assert any(url.endswith(".js") for url in page.statuses())


def test_another_page_can_not_drive_dagster(page: Page, running: Service, elsewhere: str):
    page.open(f"http://{elsewhere}/")
    page.wait_for("hello")
    page.events.clear()
    outcomes = page.run(DRIVE % running.address)
    assert outcomes["read"] == "no"
    assert outcomes["socket"] == "refused"
    assert set(page.statuses().values()) <= {200, 403, 405}
    assert 200 not in [code for url, code in page.statuses().items() if "server_info" not in url]
    with dg.DagsterInstance.from_config(str(running.files.dagster)) as instance:
        done = instance.get_materialized_partitions(dg.AssetKey("altura_item_holders"))
    assert "forged" not in done
    assert Webserver(running.address).answers()


def test_a_name_that_is_turned_to_this_machine_shows_nothing(page: Page, running: Service):
    port = running.address.rpartition(":")[2]
    page.open(f"http://evil.example:{port}/server_info")
    page.wait_for("Invalid host header")


def test_no_page_has_it_in_a_frame(page: Page, running: Service, elsewhere: str):
    page.open(f"http://{elsewhere}/")
    page.wait_for("hello")
    page.events.clear()
    page.run(f"document.body.innerHTML = '<iframe src=\"{running.address}/runs\"></iframe>'; 1")
    wait_until(lambda: page.run("1") and page.told("Network.loadingFailed"), "the frame's refusal")
