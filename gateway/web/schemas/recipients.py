"""A person as a request names one, and as the gateway reads one back."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from gateway.domain.ids import RecipientId
from gateway.domain.recipients import EmailAddress, PhoneNumber, PushDevice, PushPlatform, Recipient
from gateway.web.schemas.common import (
    PLAIN_TEXT,
    JsonObject,
    LocaleTag,
    RecipientKey,
    Shape,
    ZoneName,
)

_EmailText = Annotated[str, Field(min_length=1, max_length=320, examples=["amina@example.org"])]
_PhoneText = Annotated[str, Field(min_length=1, max_length=40, examples=["+33612345678"])]
_CountryCode = Annotated[str, Field(min_length=2, max_length=2, pattern=r"^[A-Za-z]{2}$", examples=["CA"])]
_RegionCode = Annotated[str, Field(min_length=4, max_length=6, pattern=PLAIN_TEXT, examples=["CA-QC"])]


class PushDeviceShape(Shape):
    """One device or browser: `token` for `fcm` and `apns`, `subscription` for `webpush`."""

    platform: Literal["fcm", "apns", "webpush"]
    token: Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[\u0021-\u007e]+$")] | None = None
    subscription: JsonObject | None = None

    @model_validator(mode="after")
    def _has_its_address(self) -> Self:
        wanted, other = ("subscription", "token") if self.platform == "webpush" else ("token", "subscription")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise PydanticCustomError("wrong_address", "Give `{wanted}`, and it alone", {"wanted": wanted})
        return self

    def to_domain(self) -> PushDevice:
        """The device."""
        return PushDevice(platform=PushPlatform(self.platform), token=self.token, subscription=self.subscription)


class RecipientShape(Shape):
    """What may be known of a person; every value is checked when it is used."""

    email: _EmailText | None = None
    phone: _PhoneText | None = None
    push: Annotated[list[PushDeviceShape], Field(max_length=20)] | None = None
    locale: LocaleTag | None = Field(default=None, examples=["fr-CA"])
    timezone: ZoneName | None = Field(default=None, examples=["America/Toronto"])
    country: _CountryCode | None = None
    region: _RegionCode | None = None
    attributes: Annotated[JsonObject, Field(max_length=100)] | None = Field(
        default=None, description="What templates may know of the person."
    )

    def to_domain(self, recipient_id: str | None) -> Recipient:
        """The recipient, addresses as given: they are checked and normalised by the use case."""
        return Recipient(
            id=None if recipient_id is None else RecipientId(recipient_id),
            email=None if self.email is None else EmailAddress(self.email),
            phone=None if self.phone is None else PhoneNumber(self.phone),
            push=() if self.push is None else tuple(device.to_domain() for device in self.push),
            locale=self.locale,
            timezone=self.timezone,
            country=self.country,
            region=self.region,
            attributes=self.attributes or {},
        )


class AddresseeShape(RecipientShape):
    """To whom: an id that the gateway knows, inline values, or both; inline values win for this message."""

    id: RecipientKey | None = Field(default=None, examples=["user-42"])


class PushDeviceAnswer(BaseModel):
    """One device or browser."""

    platform: str
    token: str | None = None
    subscription: JsonObject | None = None


class RecipientAnswer(BaseModel):
    """A person as kept."""

    id: str
    email: str | None
    phone: str | None
    push: list[PushDeviceAnswer]
    locale: str | None
    timezone: str | None
    country: str | None
    region: str | None
    attributes: JsonObject
    preferences: JsonObject | None = Field(
        default=None, description="Quiet hours and caps that the person chose, shaped as rules are."
    )


class RecipientPage(BaseModel):
    """People, newest first."""

    items: list[RecipientAnswer]
    next_cursor: str | None
