"""The one Definitions object that Dagster loads; nothing but assembly.

Loading reads targets.yaml and the environment. It connects to nothing and writes nothing: where
there is no targets.yaml yet, as in a fresh checkout that only `dagster dev` was started in, nothing
is watched, and the log says how to make one. A list that HOLDFAST_TARGETS names has to be there.

Dagster shows an error of its own kind as it is; any other would stand below a stack trace, where a
list of mistakes in targets.yaml is not looked for.
"""

import logging

import dagster as dg

from pipelines.errors import ConfigurationError
from pipelines.orchestration.build import build_definitions
from pipelines.orchestration.storage import check_storage
from pipelines.runtime import Runtime
from pipelines.targets import WatchList, load_targets, no_list

logger = logging.getLogger(__name__)


def _load() -> dg.Definitions:
    runtime = Runtime.from_environment()
    path = runtime.settings.holdfast_targets
    if path.exists() or "holdfast_targets" in runtime.settings.model_fields_set:
        return build_definitions(load_targets(path), runtime)
    logger.warning("%s", no_list(path))
    return build_definitions(WatchList(path, {}), runtime)


try:
    check_storage()
    defs = _load()
except ConfigurationError as error:
    raise dg.DagsterInvalidDefinitionError(str(error)) from None
