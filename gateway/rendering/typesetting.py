"""From compiled parts to the content of a channel: subject lines in one line, bodies trimmed, payloads fitted."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final, assert_never

from inscriptis import get_text
from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.model.config import ParserConfig
from markupsafe import escape

from gateway.domain.messages import Content, EmailContent, PushContent
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, JsonValue
from gateway.domain.values import Value
from gateway.errors import RenderFailed
from gateway.localization.formats import Formats
from gateway.rendering import bidi, push, sms
from gateway.rendering.compiling import CompiledPart, compile_part
from gateway.rendering.environment import MessageFormats, Values, make_environment
from gateway.rendering.lines import one_line, tidy
from gateway.rendering.localizing import Language
from gateway.rendering.remembering import Remembered
from gateway.rendering.templates import Template
from gateway.rendering.variables import is_web_url

_MOST_COMPILED: Final = 2_000
"""Templates, channels and languages of which compiled parts are kept, in the newest versions of each."""

_ACTION: Final = re.compile(r"(?!javascript:|data:|vbscript:)[a-z][a-z0-9+.-]{0,40}://?[^\s\x00-\x20]+", re.IGNORECASE)

PartSet = Mapping[str, CompiledPart]


class RenderInput(Value, frozen=True, kw_only=True):
    """What one render brings beside template and language."""

    data: Mapping[str, JsonValue]
    recipient: Mapping[str, JsonValue]
    """What templates may know of the person, as `recipient.<attribute>`."""
    timezone: str
    """IANA zone of the reader."""
    now: datetime
    """The instant from which relative times count."""
    unsubscribe_url: str
    preferences_url: str
    postal_address: tuple[str, ...] = ()
    """The sender's, line by line."""


class Typesetter:
    """Compiles parts once for each language and puts a channel's content together from them."""

    def __init__(self) -> None:
        self._environments = {escapes: make_environment(escapes=escapes) for escapes in (False, True)}
        self._compiled: Remembered[PartSet] = Remembered(_MOST_COMPILED)

    def compiled(self, template: Template, channel: Channel, language: Language) -> PartSet:
        """The channel's parts in a language, compiled at the first call. Raises Missing, TemplateBroken."""
        return self._compiled.get(
            (template.name, channel, language.tag),
            (template.version, language.catalog.version),
            partial(self._compile, template, channel, language),
        )

    def _compile(self, template: Template, channel: Channel, language: Language) -> PartSet:
        parts = template.parts_in(channel, language.locale)
        return {name: compile_part(part, language, self._environments[part.html]) for name, part in parts.items()}

    def typeset(self, template: Template, channel: Channel, language: Language, given: RenderInput) -> Content:
        """The content of one channel. Raises RenderFailed, Missing and TemplateBroken."""
        parts = self.compiled(template, channel, language)
        try:
            plain_spaces = channel is Channel.SMS
            formats = MessageFormats(Formats(language.locale, given.timezone, given.now, plain_spaces=plain_spaces))
        except ValueError as error:
            raise RenderFailed(str(error)) from error
        values = _values(given)
        match channel:
            case Channel.EMAIL:
                return _email(parts, language, values, formats, _headers(template, given))
            case Channel.SMS:
                text = _plain(parts["body"], values, formats, language)
                return sms.compose(text, language.tag, substitute=template.sms_substitute)
            case Channel.PUSH:
                return _push(template, parts, language, values, formats)
            case _:
                assert_never(channel)


def _values(given: RenderInput) -> Values:
    values = Values((name, value) for name, value in given.data.items() if value is not None)
    values["recipient"] = dict(given.recipient)
    values["unsubscribe_url"] = given.unsubscribe_url
    values["preferences_url"] = given.preferences_url
    values["postal_address"] = list(given.postal_address)
    return values


def _filled(text: str, part: CompiledPart) -> str:
    if not text:
        raise RenderFailed(f"{part.path}: comes out empty")
    return text


def _plain(part: CompiledPart, values: Values, formats: MessageFormats, language: Language) -> str:
    """A body of plain text, which may not be empty."""
    text = _filled(tidy(part.render(values, formats)), part)
    return bidi.free_lone_links(text) if language.direction == "rtl" else text


def _line(part: CompiledPart | None, values: Values, formats: MessageFormats) -> str:
    return one_line(part.render(values, formats)) if part else ""


def _email(
    parts: PartSet,
    language: Language,
    values: Values,
    formats: MessageFormats,
    headers: tuple[tuple[str, str], ...],
) -> EmailContent:
    subject = _filled(_line(parts["subject"], values, formats), parts["subject"])
    preheader = _line(parts.get("preheader"), values, formats)
    html = ""
    if "html" in parts:
        # Escaped already, so that the isolates in them are not stripped as they are from values.
        whole = {"subject": escape(subject), "preheader": escape(preheader)}
        html = _filled(parts["html"].render(Values({**values, **whole}), formats).strip(), parts["html"])
    authored = parts.get("text")
    text = _plain(authored, values, formats, language) if authored else tidy(get_text(html, _INSCRIPTIS))
    return EmailContent(
        subject=subject,
        preheader=preheader,
        html=html,
        text=text,
        locale=language.tag,
        headers=headers,
    )


_INSCRIPTIS: Final = ParserConfig(css=STRICT_CSS_PROFILE, display_links=True, display_anchors=True)


def _headers(template: Template, given: RenderInput) -> tuple[tuple[str, str], ...]:
    """One-click unsubscription where people subscribe (RFC 8058); elsewhere, that a machine wrote (RFC 3834)."""
    if template.category is Category.MARKETING:
        return (
            ("List-Unsubscribe", f"<{given.unsubscribe_url}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        )
    return (("Auto-Submitted", "auto-generated"),)


def _push(
    template: Template, parts: PartSet, language: Language, values: Values, formats: MessageFormats
) -> PushContent:
    line = partial(_line, values=values, formats=formats)
    action, image = line(parts.get("action")), line(parts.get("image"))
    if action and not _ACTION.fullmatch(action):
        raise RenderFailed(f"{parts['action'].path}: is no address to open")
    if image and not is_web_url(image):
        raise RenderFailed(f"{parts['image'].path}: is no http or https address")
    settings = template.push
    return push.fit(
        PushContent(
            title=_filled(line(parts["title"]), parts["title"]),
            body=_plain(parts["body"], values, formats, language),
            locale=language.tag,
            bytes=0,
            action=action or None,
            image=image or None,
            badge=settings.badge,
            collapse_key=line(parts.get("collapse_key")) or None,
            ttl_seconds=int(settings.ttl.total_seconds()) if settings.ttl else None,
        )
    )
