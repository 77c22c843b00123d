"""The commands of `holdfast`, one module a group; `pipelines.cli` puts them together."""
