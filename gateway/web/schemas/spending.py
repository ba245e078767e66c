"""What was spent, as the API shows it."""

from typing import Literal

from pydantic import BaseModel, Field

from gateway.web.schemas.answers import AnsweredInstant


class MessagesUsedAnswer(BaseModel):
    """Calls to providers that took the message, or may have."""

    used: int
    limit: int


class CostUsedAnswer(BaseModel):
    """What they cost by estimate."""

    used: str = Field(examples=["49.95"])
    limit: str


class LimitUsedAnswer(BaseModel):
    """How much of a limit is used now."""

    limit: str = Field(description="Its name in the settings.")
    by: Literal["service", "prefix"]
    of: str = Field(description="The service's name, or a block of numbers without its last four digits.")
    per: str = Field(examples=["day", "1h"])
    messages: MessagesUsedAnswer | None
    cost: CostUsedAnswer | None
    share: float = Field(description="How full it is, from 0 to 1.")


class ComplainedAnswer(BaseModel):
    """What readers say of the marketing e-mail from one domain."""

    domain: str
    sent: int
    complaints: int
    rate: float
    stopped: bool


class SpendingAnswer(BaseModel):
    """How much of each limit on spending is used, and how many readers complain."""

    at: AnsweredInstant
    currency: str
    limits: list[LimitUsedAnswer]
    """Of each limit the fullest first, a hundred at most."""
    complaints: list[ComplainedAnswer]
