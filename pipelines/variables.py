"""A setting as people meet it: a variable, what it accepts, its default and its meaning.

All of it is read off the settings class's JSON schema, pydantic's public account of a model, so
that messages, `docs/configuration.md` and `.env.example` can't say anything but what is checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_settings import BaseSettings

_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "path": "a path",
    "uri": "an http:// or https:// URL",
}


@dataclass(frozen=True)
class Variable:
    """`default` is None where there is none; `required` says what can't be done without a value.

    `accepts` completes the sentence "expected …". The value of a secret is never shown.
    """

    name: str
    field: str
    accepts: str
    default: str | None
    meaning: str
    secret: bool
    required: str | None


def variables(kind: type[BaseSettings]) -> tuple[Variable, ...]:
    """The variables of a settings class, in the order of its fields."""
    schema = kind.model_json_schema()
    prefix = kind.model_config.get("env_prefix", "")
    always = schema.get("required", ())
    return tuple(
        _variable(f"{prefix}{field}".upper(), field, described, always=field in always)
        for field, described in schema["properties"].items()
    )


def _variable(name: str, field: str, described: Mapping[str, Any], *, always: bool) -> Variable:
    shape = {**described, **described.get("anyOf", [{}])[0]}  # the other branch is null
    return Variable(
        name=name,
        field=field,
        accepts=_accepts(shape),
        default=_default(shape),
        meaning=described.get("description", ""),
        secret=shape.get("format") == "password",
        required="everything" if always else described.get("required_for"),
    )


def _accepts(shape: Mapping[str, Any]) -> str:
    kind = _KINDS.get(shape.get("format", "")) or _KINDS.get(shape["type"], "text")
    least, above, most = (shape.get(bound) for bound in ("minimum", "exclusiveMinimum", "maximum"))
    if least is not None:
        return f"{kind} of at least {least}" if most is None else f"{kind} from {least} to {most}"
    if above is not None:
        return f"{kind} above {above}" + ("" if most is None else f" and up to {most}")
    return kind if most is None else f"{kind} of at most {most}"


def _default(shape: Mapping[str, Any]) -> str | None:
    value = shape.get("default")
    if value is None:
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)
