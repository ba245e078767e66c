"""The parts of a template: which there are on each channel, and each one read, flattened and looked over."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jinja2 import nodes

from gateway.domain.recipients import Channel
from gateway.rendering.layouts import Flattener
from gateway.rendering.marking import check_sources
from gateway.rendering.strings import Marked
from gateway.rendering.survey import Survey, may_be_empty
from gateway.rendering.variables import Variable

FILES: Final[Mapping[Channel, Mapping[str, str]]] = {
    Channel.EMAIL: {
        "subject.txt": "subject",
        "preheader.txt": "preheader",
        "body.html": "html",
        "body.txt": "text",
    },
    Channel.SMS: {"body.txt": "body"},
    Channel.PUSH: {"title.txt": "title", "body.txt": "body"},
}
"""The files of each channel, and what the parts in them are called."""

NEEDED: Final[Mapping[Channel, frozenset[str]]] = {
    Channel.EMAIL: frozenset({"subject"}),
    Channel.SMS: frozenset({"body"}),
    Channel.PUSH: frozenset({"title", "body"}),
}
"""What a channel cannot do without (an e-mail needs one of its bodies besides)."""

FILLED: Final = frozenset({"subject", "html", "text", "title", "body"})
"""Parts that may not come out blank."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One text of a template, before any language is put in."""

    channel: Channel
    name: str
    path: str
    """Where it stands, below the template's folder."""
    html: bool
    isolates: bool
    """Whether its values are isolated in right-to-left text; not in links and keys."""
    body: list[nodes.Node] = field(repr=False)
    strings: tuple[Marked, ...]
    counts: frozenset[tuple[str, ...]]
    urls: frozenset[int] = field(repr=False)
    layouts: frozenset[str]
    given: frozenset[str]
    """What it uses of what every template is given, such as `unsubscribe_url`."""
    needs_trial: bool
    """Only rendering tells whether it comes out blank, or comes out at all."""


def read_part(
    flattener: Flattener,
    source: str,
    *,
    channel: Channel,
    name: str,
    path: str,
    variables: Mapping[str, Variable],
    isolates: bool = True,
) -> Part:
    """Parse, flatten and check one part. Raises TemplateBroken with file and line."""
    html = path.endswith(".html")
    body = flattener.flatten(source, path)
    survey = Survey(path=path, variables=variables)
    survey.walk(body)
    return Part(
        channel=channel,
        name=name,
        path=path,
        html=html,
        isolates=isolates,
        body=body,
        strings=check_sources(body, path, html=html),
        counts=frozenset(survey.counts),
        urls=frozenset(survey.urls),
        layouts=frozenset(flattener.used),
        given=frozenset(survey.given),
        needs_trial=survey.unsure or (name in FILLED and may_be_empty(body, variables)),
    )
