"""The one Definitions object that Dagster loads; nothing but assembly.

Loading reads targets.yaml and the environment. It connects to nothing. Dagster shows an error of
its own kind as it is; any other would stand below a stack trace, where a list of mistakes in
targets.yaml is not looked for.
"""

import dagster as dg

from pipelines.errors import ConfigurationError
from pipelines.orchestration.build import build_definitions
from pipelines.runtime import Runtime
from pipelines.targets import load_targets

try:
    _runtime = Runtime.from_environment()
    defs = build_definitions(load_targets(_runtime.settings.holdfast_targets), _runtime)
except ConfigurationError as error:
    raise dg.DagsterInvalidDefinitionError(str(error)) from None
