"""The one Definitions object that Dagster loads; nothing but assembly.

Loading reads targets.yaml and the environment. It connects to nothing.
"""

from pipelines.orchestration.build import build_definitions
from pipelines.runtime import Runtime
from pipelines.targets import load_targets

_runtime = Runtime.from_environment()

defs = build_definitions(load_targets(_runtime.settings.holdfast_targets), _runtime)
