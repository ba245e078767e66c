"""What is told of people who open messages and follow their links; nothing, unless an operator asks for it."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.domain.preferences import Category
from gateway.settings.values import Duration, Section, listed


def _never_critical(categories: tuple[Category, ...]) -> tuple[Category, ...]:
    if Category.CRITICAL in categories:
        raise ValueError("nothing is told of critical messages; only transactional and marketing can be named")
    return categories


_Categories = Annotated[tuple[Category, ...], BeforeValidator(listed), AfterValidator(_never_critical)]
_Hosts = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")], ...], BeforeValidator(listed)
]


class EngagementSettings(Section):
    """Opens, clicks and conversions."""

    opens: _Categories = ()
    """The categories whose e-mails carry a pixel."""
    clicks: _Categories = ()
    """The categories in whose e-mails links lead through the gateway."""
    hosts: _Hosts = ()
    """Only links to these hosts and those below them do; left out, all."""
    click_parameter: Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9_-]{0,31})?$")] = ""
    """The query parameter in which a link's target is told the delivery; empty: it is not."""
    converted_within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(days=90))] = timedelta(days=7)
    """How long after a click a conversion of that person still counts as led to by it."""
