"""What callers may post, checked by pydantic."""

from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, StringConstraints

Amount = Annotated[str, StringConstraints(pattern=r"^-?\d+(\.\d+)?$")]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Money(Shape):
    amount: Amount
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Item(Shape):
    name: str
    quantity: int
    price: Money | None = None


class OrderShipped(Shape):
    order: Annotated[str, StringConstraints(max_length=40)]
    total: Money
    name: str | None = None
    items: list[Item] = []
    eta: date | None = None
    carrier: str | None = None
    tracking_url: HttpUrl | None = None


class Receipt(Shape):
    number: Annotated[str, StringConstraints(max_length=40)]
    paid_at: datetime
    items: list[Item]
    subtotal: Money
    tax: Money
    total: Money
    name: str | None = None
    method: str | None = None
    receipt_url: HttpUrl


class Recipient(Shape):
    id: str | None = None
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
    locale: str = "en"
    timezone: str = "UTC"


class Send(Shape):
    template: str
    to: Recipient
    channels: list[str] = Field(default=["email"], max_length=1)
    data: dict[str, object]
    expires_at: datetime | None = None
    tags: list[str] = []
    metadata: dict[str, object] = {}


class Template(BaseModel):
    """What a template is for, and what it must be given."""

    category: str
    topic: str
    data: type[Shape]
    expires_after: timedelta


TEMPLATES = {
    "order-shipped": Template(
        category="transactional", topic="orders", data=OrderShipped, expires_after=timedelta(days=2)
    ),
    "receipt": Template(category="transactional", topic="payments", data=Receipt, expires_after=timedelta(days=3)),
}
