"""How a process says that it lives, and that it can work."""

from typing import Literal

from pydantic import BaseModel, Field


class HealthAnswer(BaseModel):
    """It lives."""

    status: Literal["ok"]


class StoreAnswer(BaseModel):
    """The store, as of a commit made for this answer."""

    status: Literal["ok", "unavailable"]
    engine: str | None
    problem: str | None


class MigrationsAnswer(BaseModel):
    """Whether the store's tables are those that this version needs."""

    status: Literal["ok", "pending", "unknown"]
    revision: str | None


class QueueAnswer(BaseModel):
    """Whether due messages are handed over."""

    status: Literal["ok", "stopped", "elsewhere"] = Field(description="`elsewhere`: this process has no worker.")
    redis: Literal["ok", "away", "unused"] = Field(
        description="`away`: messages are accepted and delivered all the same, by looking instead of by ringing."
    )


class ReadinessAnswer(BaseModel):
    """Whether it can work, and what operators should know although it can."""

    status: Literal["ready", "not_ready"]
    store: StoreAnswer
    migrations: MigrationsAnswer
    queue: QueueAnswer
    broken_catalogs: dict[str, str] = Field(description="Locale → what is wrong; the last good one serves.")
    broken_templates: dict[str, str] = Field(description="Name → what is wrong; the last good one serves.")
    timezone_database: str
    warnings: list[str]
