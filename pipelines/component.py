"""Holdfast as a Dagster component: `type: pipelines.component.Holdfast` in a defs.yaml.

The same definitions as `pipelines.definitions` has, with some of the settings as attributes."""

from pathlib import Path

import dagster as dg

from pipelines.errors import ConfigurationError
from pipelines.orchestration.build import build_definitions
from pipelines.orchestration.storage import check_storage
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from pipelines.targets import load_targets


class Holdfast(dg.Component, dg.Model, dg.Resolvable):
    """Snapshots of who holds what, proven and kept in Postgres.

    What is left out comes from the environment. A relative path of `targets` counts from the folder
    of the defs.yaml.
    """

    targets: str | None = None
    asset_prefix: str | None = None
    asset_group: str | None = None
    asset_owners: list[str] | None = None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        try:
            check_storage()
            runtime = Runtime.from_environment()
            settings = self._settings(runtime.settings, Path(context.path))
            runtime = Runtime(settings, runtime.providers)
            return build_definitions(load_targets(settings.holdfast_targets), runtime)
        except ConfigurationError as error:
            raise dg.DagsterInvalidDefinitionError(str(error)) from None

    def _settings(self, settings: Settings, folder: Path) -> Settings:
        given = {
            "holdfast_targets": folder / self.targets if self.targets else None,
            "holdfast_asset_prefix": self.asset_prefix,
            "holdfast_asset_group": self.asset_group,
            "holdfast_asset_owners": ",".join(self.asset_owners) if self.asset_owners else None,
        }
        return settings.model_copy(
            update={name: value for name, value in given.items() if value is not None}
        )
