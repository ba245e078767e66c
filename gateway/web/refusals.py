"""All that is wrong with a message in one answer: its content is looked at although its shape is wrong already."""

from gateway.domain.recipients import JsonValue
from gateway.errors import FieldProblem, InvalidRequest
from gateway.web.auth import Caller
from gateway.web.endpoints import LookOn
from gateway.web.gateway import Gateway
from gateway.web.schemas.messages import SendShape
from gateway.web.validation import validate


def looking_on(model: type[SendShape]) -> LookOn:
    """For endpoints that take messages of this shape."""

    async def look_on(gateway: Gateway, caller: Caller, value: JsonValue, refused: InvalidRequest) -> InvalidRequest:
        wrong = [problem.pointer for problem in refused.problems]
        rest = value
        for place in wrong:
            rest = _without(rest, place.split("/")[1:])
        try:
            request = validate(model, rest).to_domain(None)
        except InvalidRequest:
            # Something that is needed is missing: nothing can be said of the rest.
            return refused
        found = await gateway.acceptor.problems_of(caller.service_id, caller.live, request)
        further = [problem for problem in found if not any(_is_consequence(problem, place) for place in wrong)]
        return InvalidRequest(refused.message, (*refused.problems, *further))

    return look_on


def _without(value: JsonValue, path: list[str]) -> JsonValue:
    """A copy without the member at `path`; of a list the whole goes, as its other items may lean on the wrong one."""
    if not path or not isinstance(value, dict):
        return value
    name = path[0].replace("~1", "/").replace("~0", "~")
    inner = value.get(name)
    if len(path) > 1 and isinstance(inner, dict):
        return {**value, name: _without(inner, path[1:])}
    return {member: kept for member, kept in value.items() if member != name}


def _is_consequence(problem: FieldProblem, place: str) -> bool:
    """Whether a problem may be there only because the member at `place` was left out."""
    return f"{place}/".startswith(f"{problem.pointer}/") or f"{problem.pointer}/".startswith(f"{place}/")
