"""Reading the settings: defaults, then `heliograph.toml`, then HELIOGRAPH_* variables, in one place.

An unknown key or a bad value stops the start with the key, the file and the line. A secret may be named as
`{env = "NAME"}` or `{file = "path"}`.
"""

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.domain.rule_tables import WrongRules
from gateway.errors import ConfigurationError
from gateway.settings import Section, Settings
from gateway.settings.kinds import installed_kinds, load_kind
from gateway.settings.providers import KINDS

CONFIG_VARIABLE: Final = "HELIOGRAPH_CONFIG"
DEFAULT_FILE: Final = "heliograph.toml"
_PREFIX: Final = "HELIOGRAPH_"
_ONLY_IN_THE_FILE: Final = frozenset(
    {
        "providers",
        "routes",
        "overrides",
        "quiet_hours",
        "frequency_caps",
        "postal_addresses",
        "services",
        "prices",
        "limits",
        "codes",
        "dkim",
    }
)
"""Lists of tables, and maps, which no variable can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """Settings with the place that each value came from."""

    settings: Settings
    sources: Mapping[str, str]
    """`server.port` → `heliograph.toml:3` or `HELIOGRAPH_SERVER_PORT`; a key that is absent has its default."""

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Put the place of the setting before what is found wrong with it when it is used: `key: problem`."""
        try:
            yield
        except ConfigurationError as error:
            place = self.sources.get(error.message.partition(":")[0])
            if place is None:
                raise
            raise ConfigurationError(f"{place}: {error.message}") from error


def load_settings(environ: Mapping[str, str] = os.environ, directory: Path | None = None) -> LoadedSettings:
    """Read the file that HELIOGRAPH_CONFIG names, or `heliograph.toml` in `directory`, and the environment.

    Raises ConfigurationError that names key, place and fix.
    """
    path, text = _read_file(environ, directory or Path.cwd())
    try:
        raw: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    lines = dict(_key_lines(text))
    sources = {key: f"{path}:{lines.get(key, 1)}" for key in _leaves(raw)}
    kinds = _kinds_of(raw, lines, path)
    for key, (variable, value) in _environment_values(raw, environ, kinds).items():
        _put(raw, key.split("."), value)
        sources[key] = variable
    _resolve_secrets(raw, environ, sources)
    try:
        settings = Settings.model_validate(raw, context={"kinds": kinds, "installed": installed_kinds()})
    except ValidationError as error:
        raise ConfigurationError(_explain(error, sources, lines, path)) from error
    _check_routes(settings, sources)
    _check_rules(settings, lines, path)
    return LoadedSettings(settings=settings, sources=sources)


def _read_file(environ: Mapping[str, str], directory: Path) -> tuple[Path, str]:
    named = environ.get(CONFIG_VARIABLE)
    path = Path(named) if named else directory / DEFAULT_FILE
    if not named and not path.exists():
        return path, ""
    try:
        return path, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error


_TABLE: Final = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
_KEY: Final = re.compile(r"""(?:^|[;{,])\s*["']?([A-Za-z0-9_-]+)["']?\s*=""")


def _key_lines(text: str) -> Iterator[tuple[str, int]]:
    """Dotted keys with the line on which each is written; good enough to point a person to it.

    What stands in one of several tables of a name is there with its number as well: `routes.0.channel`.
    """
    tables = [""]
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = header[1].replace('"', "").replace("'", "")
            tables = [table, f"{table}.{seen[table]}"]
            seen[table] += 1
            yield from ((one, number) for one in tables)
        elif key := _KEY.match(line):
            yield from ((f"{one}.{key[1]}" if one else key[1], number) for one in tables)


def _leaves(value: object, prefix: str = "") -> Iterator[str]:
    """Dotted names of all values; arrays of tables and secret references count as one value."""
    if isinstance(value, dict) and not (prefix and set(value) in ({"env"}, {"file"})):
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix


def _put(raw: dict[str, object], path: list[str], value: object) -> None:
    table = raw
    for name in path[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"{'.'.join(path)}: {name} is not a table")
        table = inner
    table[path[-1]] = value


Kinds = Mapping[str, type[BaseModel]]
"""What the settings of each kind look like."""


def _kinds_of(raw: Mapping[str, object], lines: Mapping[str, int], path: Path) -> Kinds:
    """Our own kinds, and of those that others brought the ones that the settings name."""
    found: dict[str, type[BaseModel]] = {**KINDS}
    installed = installed_kinds()
    for name, table in _accounts(raw):
        kind = str(table.get("kind"))
        if kind in installed and kind not in KINDS:
            try:
                found[kind] = load_kind(kind).section
            except ConfigurationError as error:
                key = f"providers.{name}.kind"
                raise ConfigurationError(f"{path}:{_nearest_line(key, lines)}: {key}: {error.message}") from error
    return found


def _accounts(raw: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    providers = raw.get("providers")
    for name, table in providers.items() if isinstance(providers, dict) else ():
        if isinstance(table, dict):
            yield name, table


def _environment_values(
    raw: Mapping[str, object], environ: Mapping[str, str], kinds: Kinds
) -> dict[str, tuple[str, str]]:
    """`server.port` → (`HELIOGRAPH_SERVER_PORT`, value) for every variable that names a setting."""
    names = {_variable(key): key for key in _settable(raw, kinds)}
    found = {}
    for variable, value in environ.items():
        if not variable.startswith(_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        section = variable.removeprefix(_PREFIX).split("_")[0].lower()
        if variable in names:
            found[names[variable]] = (variable, value)
        elif section in Settings.model_fields and section != "providers":
            known = ", ".join(sorted(name for name in names if name.startswith(f"{_PREFIX}{section.upper()}_")))
            raise ConfigurationError(f"{variable}: there is no such setting; in this section there are {known}")
    return found


def _variable(key: str) -> str:
    return _PREFIX + re.sub(r"[.-]", "_", key).upper()


def _settable(raw: Mapping[str, object], kinds: Kinds) -> Iterator[str]:
    yield from _section_keys("", Settings)
    for name, table in _accounts(raw):
        if (model := kinds.get(str(table.get("kind")))) is not None:
            yield from _section_keys(f"providers.{name}.", model)


def _section_keys(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    """Dotted names of the single values below a section; lists and maps come from the file alone."""
    for name, field in model.model_fields.items():
        annotation: object = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            yield from _section_keys(f"{prefix}{name}.", annotation)
        elif name not in _ONLY_IN_THE_FILE:
            yield f"{prefix}{field.alias or name}"


def _resolve_secrets(raw: dict[str, object], environ: Mapping[str, str], sources: dict[str, str]) -> None:
    """Put the named variable's or file's content in place of every `{env = …}` and `{file = …}`.

    Raises ConfigurationError that names all that are not there, each on its line.
    """
    absent: list[str] = []
    for key in list(_leaves(raw)):
        value: object = raw
        for name in key.split("."):
            value = value[name] if isinstance(value, dict) and name in value else None
        if not isinstance(value, dict) or len(value) != 1:
            continue
        (how, where), place = next(iter(value.items())), sources.get(key, key)
        if how == "env" and str(where) in environ:
            _put(raw, key.split("."), environ[str(where)])
            sources[key] = f"{place} (variable {where})"
        elif how == "file" and Path(str(where)).is_file():
            _put(raw, key.split("."), _read_secret(Path(str(where)), f"{place}: {key}"))
            sources[key] = f"{place} (file {where})"
        else:
            kind = "variable" if how == "env" else "file"
            absent.append(f"{place}: {key}: the {kind} {where!r} that it names is not there")
    if absent:
        raise ConfigurationError("\n".join(absent))


def _read_secret(path: Path, place: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        # The words of a decoding error would show some of the secret's bytes.
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{place}: the file {path} cannot be read: {reason}") from None


def _explain(error: ValidationError, sources: Mapping[str, str], lines: Mapping[str, int], path: Path) -> str:
    """One line for each wrong setting: place, key, and what would be right."""
    messages = []
    for problem in error.errors(include_url=False, include_input=False):
        key = ".".join(part for part in map(str, problem["loc"]) if not part.isdigit())
        place = sources.get(key) or f"{path}:{_nearest_line(key, lines)}"
        messages.append(f"{place}: {key}: {_sentence(problem)}")
    return "\n".join(messages)


def _sentence(problem: ErrorDetails) -> str:
    match problem["type"]:
        case "extra_forbidden":
            return "there is no such setting"
        case "missing":
            return "this is required"
        case _:
            return problem["msg"].removeprefix("Value error, ")


def _nearest_line(key: str, lines: Mapping[str, int]) -> int:
    while key:
        if key in lines:
            return lines[key]
        key = key.rpartition(".")[0]
    return 1


def _check_rules(settings: Settings, lines: Mapping[str, int], path: Path) -> None:
    try:
        settings.rules()
    except WrongRules as error:
        keys = [(problem.pointer[1:].replace("/", "."), problem.message) for problem in error.problems]
        told = [f"{path}:{_nearest_line(key, lines)}: {key}: {message}" for key, message in keys]
        raise ConfigurationError("\n".join(told)) from error


def _check_routes(settings: Settings, sources: Mapping[str, str]) -> None:
    for index, route in enumerate(settings.routes):
        for name in route.names:
            if name not in settings.providers:
                known = ", ".join(sorted(settings.providers)) or "none"
                place, key = sources.get("routes", "routes"), "providers" if route.providers else "weights"
                raise ConfigurationError(
                    f"{place}: routes[{index}].{key}: there is no provider {name!r}; configured are {known}"
                )
