"""From JSON to a checked model, with every wrong field named in our own stable words."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.domain.recipients import JsonValue
from gateway.errors import FieldProblem, InvalidRequest
from gateway.web.pointers import Path, located, pointer

ModelT = TypeVar("ModelT", bound=BaseModel)

_CODES: Final[Mapping[str, str]] = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "literal_error": "not_one_of",
    "enum": "not_one_of",
    "string_pattern_mismatch": "wrong_format",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "too_long": "too_long",
    "too_short": "too_short",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "less_than": "too_large",
    "less_than_equal": "too_large",
    "int_parsing": "wrong_type",
    "bool_parsing": "wrong_type",
    "union_tag_invalid": "not_one_of",
    "union_tag_not_found": "missing",
}
"""pydantic's words for an error and ours; its `*_type` are all `wrong_type`, our own codes pass as they are."""


def validate(model: type[ModelT], body: JsonValue, *, base: Path = ()) -> ModelT:
    """The body as a model. Raises InvalidRequest that names every wrong field below `base`."""
    try:
        # What `model_validate` calls once it has looked at the options that we never give.
        checked: ModelT = model.__pydantic_validator__.validate_python(body)
    except ValidationError as error:
        raise InvalidRequest("The body has wrong fields.", field_problems(error, body, base)) from error
    return checked


def validate_query(model: type[ModelT], query: Sequence[tuple[str, str]]) -> ModelT:
    """The query string as a model; a parameter given twice is as wrong as an unknown one."""
    values = dict(query)
    if len(values) != len(query):
        names = [name for name, _ in query]
        repeated = sorted({name for name in names if names.count(name) > 1})
        problems = [_query_problem(name, "repeated", "Give this parameter once.") for name in repeated]
        raise InvalidRequest("The query has wrong parameters.", problems)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        problems = [_query_problem(str((*detail["loc"], "")[0]), _code(detail), _message(detail)) for detail in details]
        raise InvalidRequest("The query has wrong parameters.", problems) from error


def _query_problem(name: str, code: str, message: str) -> FieldProblem:
    return FieldProblem(pointer=f"?{name}".encode(errors="replace").decode(), code=code, message=message)


def field_problems(error: ValidationError, body: JsonValue, base: Path = ()) -> list[FieldProblem]:
    """Each wrong field once, in the order of the model."""
    found: dict[str, FieldProblem] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        place = pointer((*base, *located(detail["loc"], body)))
        found.setdefault(place, FieldProblem(pointer=place, code=_code(detail), message=_message(detail)))
    return list(found.values())


def _code(detail: ErrorDetails) -> str:
    kind = detail["type"]
    return "wrong_type" if kind.endswith("_type") else _CODES.get(kind, kind)


_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "This is needed.",
    "extra_forbidden": "There is no such field; the OpenAPI document lists those that there are.",
    "model_type": "Give an object.",
    "dict_type": "Give an object.",
    "list_type": "Give a list.",
    "string_type": "Give a string.",
    "int_type": "Give an integer.",
    "bool_type": "Give true or false.",
}


def _message(detail: ErrorDetails) -> str:
    text = _MESSAGES.get(detail["type"], detail["msg"])
    return text if text.endswith(".") else f"{text}."
