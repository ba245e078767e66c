"""What one delivery says: the renderer asked with everything that a message, a person and an instant bring."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gateway.delivery.dispatching.imprint import PostalAddress, choose_address
from gateway.delivery.dispatching.links import UnsubscribeLinks
from gateway.delivery.engagement.wrapping import Wrapper
from gateway.domain.ids import DeliveryId
from gateway.domain.messages import Content, Message, PushContent, SmsContent, Versions
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, JsonValue, Recipient
from gateway.domain.values import Value, replace
from gateway.rendering.renderer import LocaleResolution, Pin, Renderer, RenderInput
from gateway.rendering.templates import Template


class Composed(Value, frozen=True, kw_only=True):
    """A text that is ready to go, and what may be shown of it afterwards."""

    content: Content
    shown: Content
    """The same with secret values as ••••; the only form that is stored."""
    versions: Versions
    resolution: LocaleResolution


class Composer:
    """Renders deliveries; explain, preview and dispatch all come here, so that what is shown is what is sent."""

    def __init__(
        self,
        renderer: Renderer,
        links: UnsubscribeLinks,
        default_timezone: str,
        addresses: Sequence[PostalAddress] = (),
        wrapper: Wrapper | None = None,
    ) -> None:
        self._renderer = renderer
        self._links = links
        self._default_timezone = default_timezone
        self._addresses = addresses
        self._wrapper = wrapper
        """None where nothing is to be told of opens and clicks."""

    def compose(
        self,
        message: Message,
        recipient: Recipient,
        channel: Channel,
        *,
        delivery_id: DeliveryId,
        now: datetime,
        pin: Pin | None = None,
    ) -> Composed:
        """Render one channel of a message for a person, from one snapshot of template and catalogs.

        The locale is resolved over all channels of the message. Raises NotFound for a template that is gone,
        RenderFailed when not even the default language can be rendered.
        """
        pin = pin or self._renderer.pin()
        template = pin.templates.template(message.template)
        resolution = self._renderer.resolve(pin, template, message.channels, recipient.locale)
        content, shown = self.render(
            pin,
            template,
            channel,
            resolution,
            data=message.data,
            secrets=message.secrets,
            category=message.category,
            recipient=_for_templates(recipient),
            timezone=recipient.timezone or self._default_timezone,
            delivery_id=delivery_id,
            now=now,
        )
        versions = Versions(
            template=template.version,
            catalogs=pin.version,
            requested_locale=recipient.locale,
            resolved_locale=content.locale,
            missing=resolution.missing,
        )
        return Composed(content=content, shown=shown, versions=versions, resolution=resolution)

    def render(
        self,
        pin: Pin,
        template: Template,
        channel: Channel,
        resolution: LocaleResolution,
        *,
        data: Mapping[str, JsonValue],
        secrets: Mapping[str, JsonValue],
        category: Category,
        recipient: Mapping[str, JsonValue],
        timezone: str,
        delivery_id: DeliveryId,
        now: datetime,
    ) -> tuple[Content, Content]:
        """One channel in a language that was chosen: as it is sent, and as it may be shown.

        `recipient` is what the template may know of the person. Raises RenderFailed.
        """
        address = self._address(recipient.get("country"), resolution.resolved)

        def render(values: Mapping[str, JsonValue]) -> Content:
            given = RenderInput(
                data=values,
                recipient=recipient,
                timezone=timezone,
                now=now,
                unsubscribe_url=self._links.unsubscribe_url(delivery_id),
                preferences_url=self._links.preferences_url(delivery_id),
                postal_address=address,
            )
            return self._renderer.render(pin, template, channel, resolution, given)

        content, shown = _render_masked(render, data, secrets)
        if self._wrapper is None:
            return content, shown
        return self._wrapper.wrap(content, shown, category, delivery_id)

    def _address(self, country: JsonValue, locale: str) -> tuple[str, ...]:
        if not self._addresses:
            return ()
        return choose_address(self._addresses, country if isinstance(country, str) else None, locale)


def _render_masked(
    render: Callable[[Mapping[str, JsonValue]], Content],
    data: Mapping[str, JsonValue],
    secrets: Mapping[str, JsonValue],
) -> tuple[Content, Content]:
    """The text as it is sent, and as it may be shown: `data` has each of the `secrets` as ••••."""
    if not secrets:
        content = render(data)
        return content, content
    content = render({**data, **secrets})
    return content, _as_sent(render(data), content)


def _for_templates(recipient: Recipient) -> dict[str, JsonValue]:
    """What a template may know of the person: the attributes, and the places; the places win a name."""
    return {
        **recipient.attributes,
        "id": recipient.id,
        "email": recipient.email,
        "phone": recipient.phone,
        "locale": recipient.locale,
        "timezone": recipient.timezone,
        "country": recipient.country,
        "region": recipient.region,
    }


def _as_sent(masked: Content, sent: Content) -> Content:
    """The masked text with the measures of the real one: a record tells what was paid for."""
    match masked, sent:
        case SmsContent(), SmsContent():
            return replace(masked, encoding=sent.encoding, units=sent.units, segments=sent.segments)
        case PushContent(), PushContent():
            return replace(masked, bytes=sent.bytes)
        case _:
            return masked
