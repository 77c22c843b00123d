"""What Dagster loads for `holdfast --demo up`; nothing but assembly.

The service says in HOLDFAST_HOME whose demo it is, and in HOLDFAST_TARGETS where its list is. The
database is always the demo's own, and neither `.env` nor a variable of a provider is read: real
data can't be touched by this.
"""

import dagster as dg

from pipelines.demo import serving_runtime
from pipelines.errors import ConfigurationError
from pipelines.orchestration.build import build_definitions
from pipelines.settings import load_settings
from pipelines.targets import load_targets

try:
    _plain = {"holdfast_asset_prefix": "", "holdfast_asset_group": "holdfast"}
    _settings = load_settings(env_file=None).model_copy(update=_plain)
    defs = build_definitions(load_targets(_settings.holdfast_targets), serving_runtime(_settings))
except ConfigurationError as error:
    raise dg.DagsterInvalidDefinitionError(str(error)) from None
