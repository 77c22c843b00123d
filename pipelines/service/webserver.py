"""What is asked of Dagster's webserver: whether all is well, the schedules, a run, a reload."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import requests

from pipelines.errors import ServiceFailed
from pipelines.orchestration.schedules import job_name, partition_range, run_config
from pipelines.providers.provider import Provider, Target

LOCATION = "holdfast"
REPOSITORY = "__repository__"  # Dagster's name for a Definitions object
ANSWER_SECONDS = 60.0  # a reload imports everything anew
FIRST_SNAPSHOTS = {"holdfast/taken": "at start"}

LOAD_ERROR = """query($name: String!) { workspaceLocationEntryOrError(name: $name) {
  ... on WorkspaceLocationEntry { locationOrLoadError {
    __typename ... on PythonError { message } } } } }"""

SCHEDULES = """query($selector: RepositorySelector!) {
  schedulesOrError(repositorySelector: $selector) { ... on Schedules { results {
    name cronSchedule scheduleState { status } futureTicks(limit: 1) { results { timestamp } } } }
    ... on PythonError { message } } }"""

LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } }
} }"""

RELOAD = """mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) {
  __typename ... on WorkspaceLocationEntry { locationOrLoadError {
    __typename ... on PythonError { message } } } } }"""


@dataclass(frozen=True)
class Schedule:
    """A schedule as Dagster sees it; `next_tick` is None where it was stopped in the UI."""

    name: str
    cron: str
    next_tick: datetime | None


class Webserver:
    """Dagster's webserver at an address such as http://127.0.0.1:3000."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business with 127.0.0.1

    def answers(self) -> bool:
        try:
            answer = self._session.get(f"{self._address}/server_info", timeout=ANSWER_SECONDS)
        except requests.RequestException:
            return False
        return answer.status_code == HTTPStatus.OK

    def load_error(self) -> str | None:
        """Why the definitions can't be used, or None."""
        return _load_error(self._ask(LOAD_ERROR, name=LOCATION)["workspaceLocationEntryOrError"])

    def schedules(self) -> list[Schedule]:
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY}
        found = self._ask(SCHEDULES, selector=selector)["schedulesOrError"]
        if "results" not in found:
            raise ServiceFailed(f"Dagster can't tell its schedules: {found}")
        return [_schedule(schedule) for schedule in found["results"]]

    def launch(self, provider: Provider, targets: Sequence[Target]) -> None:
        """Ask for snapshots of those targets now, as the schedule's tick would."""
        tags = {**partition_range(targets), **FIRST_SNAPSHOTS}
        launched = self._ask(
            LAUNCH,
            params={
                "selector": {
                    "repositoryLocationName": LOCATION,
                    "repositoryName": REPOSITORY,
                    "jobName": job_name(provider),
                },
                "runConfigData": run_config(provider, targets),
                "executionMetadata": {
                    "tags": [{"key": key, "value": value} for key, value in tags.items()]
                },
            },
        )["launchRun"]
        if launched["__typename"] != "LaunchRunSuccess":
            raise ServiceFailed(f"Dagster refused a run of {job_name(provider)}: {launched}")

    def reload(self) -> str | None:
        """Have the definitions loaded anew; why they can't be used, or None."""
        return _load_error(self._ask(RELOAD, name=LOCATION)["reloadRepositoryLocation"])

    def _ask(self, question: str, **variables: Any) -> dict[str, Any]:
        """Raises ServiceFailed where there is no answer."""
        try:
            answer = self._session.post(
                f"{self._address}/graphql",
                json={"query": question, "variables": variables},
                timeout=ANSWER_SECONDS,
            )
            said = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise ServiceFailed(f"Dagster at {self._address} does not answer: {error}") from error
        if said.get("errors") or not said.get("data"):
            raise ServiceFailed(f"Dagster at {self._address} refused a question: {said}")
        data: dict[str, Any] = said["data"]
        return data


def _load_error(entry: dict[str, Any]) -> str | None:
    loaded = entry.get("locationOrLoadError")
    if loaded is None:
        return f"Dagster has not loaded the code location {LOCATION}"
    return None if loaded["__typename"] == "RepositoryLocation" else str(loaded.get("message"))


def _schedule(found: dict[str, Any]) -> Schedule:
    ticks = found["futureTicks"]["results"] if _runs(found) else []
    next_tick = datetime.fromtimestamp(ticks[0]["timestamp"], UTC) if ticks else None
    return Schedule(found["name"], found["cronSchedule"], next_tick)


def _runs(found: dict[str, Any]) -> bool:
    return bool(found["scheduleState"]["status"] == "RUNNING")
