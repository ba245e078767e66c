"""A template as its reader would see it: checked data, a chosen language and instant, nothing stored or sent."""

from collections.abc import Mapping
from datetime import datetime

from gateway.delivery.accepting.addresses import UnknownTimezone, check_timezone
from gateway.delivery.dispatching.composition import Composer
from gateway.delivery.presentation import JsonObject, content_json
from gateway.domain import ids
from gateway.domain.ids import DeliveryId
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import FieldProblem, InvalidRequest
from gateway.localization.locales import UnknownLocale, parse_locale, to_tag
from gateway.localization.pseudo import is_pseudo, make_pseudo_catalog
from gateway.ports import Clock
from gateway.rendering.localizing import Language
from gateway.rendering.renderer import LocaleResolution, Pin, Renderer
from gateway.rendering.templates import Template
from gateway.rendering.variables import check_data, split_secrets

_NOBODY = DeliveryId(f"{ids.DELIVERY}_preview")
_REFUSED = "The template cannot be previewed like that."


class Previewer:
    """Answers `POST /v1/templates/{name}/preview`."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        composer: Composer,
        clock: Clock,
        default_timezone: str,
    ) -> None:
        self._renderer = renderer
        self._composer = composer
        self._clock = clock
        self._default_timezone = default_timezone

    def preview(
        self,
        name: str,
        channel: Channel,
        *,
        locale: str | None = None,
        timezone: str | None = None,
        data: Mapping[str, JsonValue] | None = None,
        sample: str | None = None,
        recipient: Mapping[str, JsonValue] | None = None,
        at: datetime | None = None,
    ) -> JsonObject:
        """`{locale: {requested, resolved, missing}, content}` of one channel, from `data` or a named sample.

        With neither, the first sample serves. The pseudo-locales `en-XA` and `ar-XB` are known here. Raises
        NotFound for an unknown template, InvalidRequest for what else is wrong, RenderFailed.
        """
        pin = self._renderer.pin()
        template = pin.templates.template(name)
        problems: list[FieldProblem] = []
        if channel not in template.channels:
            problems.append(_problem("/channel", "channel_not_offered", f"The template has no {channel}."))
        values = _values(template, data, sample, problems)
        zone = self._zone(timezone, problems)
        resolution = self._resolution(pin, template, locale, problems)
        if problems or resolution is None:
            raise InvalidRequest(_REFUSED, problems)
        shown, secrets = split_secrets(template, values)
        _, content = self._composer.render(
            pin,
            template,
            channel,
            resolution,
            data=shown,
            secrets=secrets,
            category=template.category,
            recipient=recipient or {},
            timezone=zone,
            delivery_id=_NOBODY,
            now=at or self._clock.now(),
        )
        told: JsonObject = {
            "requested": resolution.requested,
            # A pseudo-locale is formatted as the language that it distorts, and its content says so.
            "resolved": resolution.resolved if len(resolution.languages) == 1 else content.locale,
            "missing": list(resolution.missing),
        }
        return {"locale": told, "content": content_json(content)}

    def _zone(self, timezone: str | None, problems: list[FieldProblem]) -> str:
        try:
            return self._default_timezone if timezone is None else check_timezone(timezone)
        except UnknownTimezone as error:
            problems.append(_problem("/timezone", error.code, str(error)))
            return self._default_timezone

    def _resolution(
        self, pin: Pin, template: Template, tag: str | None, problems: list[FieldProblem]
    ) -> LocaleResolution | None:
        if tag is not None and is_pseudo(tag):
            catalog = make_pseudo_catalog(tag)
            language = Language(catalog=catalog, locale=catalog.locale)
            return LocaleResolution(requested=catalog.tag, resolved=catalog.tag, languages=(language,))
        try:
            requested = None if tag is None else to_tag(parse_locale(tag))
        except UnknownLocale as error:
            problems.append(_problem("/locale", "unknown_locale", str(error)))
            return None
        return self._renderer.resolve(pin, template, template.channels, requested)


def _values(
    template: Template,
    data: Mapping[str, JsonValue] | None,
    sample: str | None,
    problems: list[FieldProblem],
) -> Mapping[str, JsonValue]:
    if data is not None:
        problems.extend(check_data(template, data))
        return data
    if sample is None:
        return next(iter(template.samples.values()), {})
    if sample not in template.samples:
        known = ", ".join(template.samples) or "none"
        problems.append(_problem("/sample", "unknown_sample", f"The template has these samples: {known}."))
        return {}
    return template.samples[sample]


def _problem(pointer: str, code: str, message: str) -> FieldProblem:
    return FieldProblem(pointer=pointer, code=code, message=message)
