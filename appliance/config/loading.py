"""Reading the configuration: files first, the environment on top."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from appliance.config.problems import Mistaken, Problem, known_names, problems_of
from appliance.config.settings import ENV_DELIMITER, ENV_PREFIX, Settings
from appliance.errors import ConfigurationError
from appliance.places import CONFIGURATION, HOME, VENDOR

DEFAULT_PATH = CONFIGURATION
HOME_VARIABLE = f"{ENV_PREFIX}HOME"
PARTS = "conf.d"
NONE: Mapping[Path, str] = {}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and for each key that was set, by dotted path, the file or variable it came from."""

    settings: Settings
    origins: dict[str, str]


def load(
    path: Path | None, environ: Mapping[str, str], *, vendor: Path | None = None, instead: Mapping[Path, str] = NONE
) -> Loaded:
    """Read the package's own layer, `path` (default: DEFAULT_PATH), conf.d/*.toml beside it, and the environment.

    Later sources win, key by key; tables are merged by name, lists replaced. A missing
    default file is no error, a missing `path` is. `vendor` names the package's layer; without it that is the
    installed one, for the installed box alone: where no other `path` or home was named. `instead` has texts that are
    read in place of files, which need not be there: what a file would mean before it is written. Raises
    ConfigurationError that names every mistake.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, tree in _sources(path, environ, vendor or _installed_layer(path, environ), instead):
        _lay_over(values, tree)
        origins.update(_origins(tree, origin))
    try:
        return Loaded(Settings(**values), origins)
    except ValidationError as error:
        raise Mistaken(problems_of(error, origins)) from None


def lookalikes(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for every variable that looks like a setting but is not read: APPLIANCE_SCP_PORT."""
    return [sentence for variable in sorted(environ) if (sentence := _lookalike(variable))]


def _lookalike(variable: str) -> str:
    lone = ENV_PREFIX.removesuffix("_")
    name = variable.upper()
    if not name.startswith(lone) or name.startswith(ENV_PREFIX):
        return ""
    section, _, rest = name.removeprefix(lone).lower().partition("_")
    rest = rest.lstrip("_")
    if section not in Settings.model_fields:
        return ""
    known = not rest or rest in known_names((section,))
    meant = ENV_PREFIX + ENV_DELIMITER.join(filter(None, (section, rest))).upper()
    return f"{variable} is not read: " + (
        f"did you mean {meant}?" if known else f"settings begin with {ENV_PREFIX}, with {ENV_DELIMITER} for each dot"
    )


class Environment(EnvSettingsSource):
    """pydantic-settings' reader of variables, over a mapping instead of the process's own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Settings, case_sensitive=False, env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {variable.lower(): value for variable, value in self._environ.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """Return the JSON that a list or table is written as, or the text itself for validation to name."""
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]
        except ValueError:
            return value


def _installed_layer(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The package's layer, unless somebody works on another installation than the package's."""
    elsewhere = path is not None or environ.get(HOME_VARIABLE, str(HOME)) != str(HOME)
    return None if elsewhere else VENDOR


def _sources(
    path: Path | None, environ: Mapping[str, str], vendor: Path | None, instead: Mapping[Path, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if vendor is not None and vendor.exists():
        yield str(vendor), _read_toml(vendor, instead)
    main = path or DEFAULT_PATH
    if path is not None or main.exists():
        yield str(main), _read_toml(main, instead)
    beside = [part for part in instead if part.parent == main.parent / PARTS]
    for part in sorted({*main.parent.glob(f"{PARTS}/*.toml"), *beside}):
        yield str(part), _read_toml(part, instead)
    _refuse_unknown_variables(environ)
    yield "environment", Environment(environ)()


def _read_toml(path: Path, instead: Mapping[Path, str]) -> dict[str, Any]:
    try:
        return tomllib.loads(instead[path] if path in instead else path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}", hint="Create the file, or name another by --config."
        ) from None
    except ValueError as error:  # not UTF-8, or not TOML: the message says where
        raise ConfigurationError(f"{path} is not TOML: {error}", hint="Mend the line it names.") from None


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    """pydantic-settings passes over variables of no section; a typing error there would go unseen."""
    unknown = []
    for variable in environ:
        keys = variable.lower().removeprefix(ENV_PREFIX.lower()).split(ENV_DELIMITER)
        if variable.upper().startswith(ENV_PREFIX) and keys[0] not in Settings.model_fields:
            unknown.append(Problem.unknown((keys[0],), {}, f"environment variable {variable}"))
    if unknown:
        raise Mistaken(unknown)


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = value


def _origins(tree: Mapping[str, Any], origin: str, path: tuple[str, ...] = ()) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in tree.items():
        here = (*path, key)
        if isinstance(value, dict) and value:
            found.update(_origins(value, origin, here))
        else:
            variable = f" variable {ENV_PREFIX}{ENV_DELIMITER.join(here).upper()}" * (origin == "environment")
            found[".".join(here)] = origin + variable
    return found
