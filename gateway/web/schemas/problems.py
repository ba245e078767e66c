"""How a refusal reads."""

from pydantic import BaseModel, Field


class FieldProblemAnswer(BaseModel):
    """One wrong field."""

    pointer: str = Field(description="JSON pointer into the body, or `?name` for a query parameter.")
    code: str = Field(description="Stable word for programs.")
    message: str = Field(description="What is wrong and how to mend it.")


class ProblemAnswer(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(description="URN of this kind of problem.")
    title: str
    status: int
    code: str = Field(description="Stable word for programs.")
    detail: str
    instance: str = Field(description="URN of the request.")
    errors: list[FieldProblemAnswer] = Field(default=[], description="Every wrong field, at most 100.")
