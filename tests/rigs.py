"""A whole gateway for a test: real store, renderer and worker on a temporary folder, with templates of its own."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.bootstrap import Gateway, open_gateway
from gateway.delivery.accepting.accept import Accepted, Asked
from gateway.delivery.accepting.idempotency import IdempotencyKey
from gateway.delivery.upkeep.credentials import FIRST_SERVICE, find_or_register
from gateway.domain.ids import ServiceId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import SendRequest
from gateway.domain.recipients import Recipient
from gateway.ports import Clock, MessageRecord, Provider
from gateway.settings import Settings
from tests.factories import make_recipient
from tests.modes import sections_of
from tests.waiting import eventually

TEMPLATES: Mapping[str, Mapping[str, str]] = {
    "note": {
        "template.toml": """
description = "Says something on every channel"
category = "transactional"
topic = "notes"
channels = ["email", "sms", "push"]
strategy = "first"
[variables]
text = {type = "string", max_length = 100}
[samples.usual]
text = "hello"
""",
        "email/subject.txt": "A note",
        "email/body.html": "<p>{{ text }}</p>",
        "email/body.txt": "{{ text }}",
        "sms/body.txt": "Note: {{ text }}",
        "push/title.txt": "A note",
        "push/body.txt": "{{ text }}",
    },
    "code": {
        "template.toml": """
description = "A one-time code"
category = "critical"
channels = ["sms"]
[variables]
code = {type = "string", secret = true}
[samples.usual]
code = "908172"
""",
        "sms/body.txt": "Your code is {{ code }}",
    },
    "offer": {
        "template.toml": """
description = "An offer"
category = "marketing"
topic = "offers"
channels = ["email", "sms"]
[variables]
text = {type = "string", optional = true}
[samples.usual]
text = "Ten percent off"
""",
        "email/subject.txt": "An offer",
        "email/body.html": '<p>{{ text|default("") }} <a href="{{ unsubscribe_url }}">Leave</a></p>',
        "email/body.txt": 'Offer: {{ text|default("") }} {{ unsubscribe_url }}',
        "sms/body.txt": '{{ text|default("") }}',
    },
}


def write_templates(root: Path) -> Path:
    """The templates above as files below `root`."""
    for name, files in TEMPLATES.items():
        for path, text in files.items():
            file = root / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return root


def make_settings(folder: Path, **sections: Mapping[str, Any]) -> Settings:
    """Settings whose every file lies below `folder`; retries and lost answers take no time worth speaking of."""
    (folder / "translations").mkdir(exist_ok=True)
    content = {"templates": write_templates(folder / "templates"), "translations": folder / "translations"}
    delivery = {"retry_first": "10ms", "retry_max": "20ms", "unknown_after": "50ms"}
    return Settings.model_validate(
        {
            **sections_of(folder),
            "content": content | {"refresh": "50ms"} | dict(sections.pop("content", {})),
            "delivery": delivery | dict(sections.pop("delivery", {})),
            # What a country's hours say depends on when the tests are run.
            "policy": {"packs": False} | dict(sections.pop("policy", {})),
            **sections,
        }
    )


@dataclass(frozen=True, slots=True)
class Rig:
    """A running gateway and the service that calls it."""

    gateway: Gateway
    working: Gateway
    """The gateway that dispatches: the same one, or in scaled mode another beside it."""
    service_id: ServiceId

    async def send(
        self, template: str = "note", *, key: str | None = None, live: bool = True, **changes: Any
    ) -> Accepted:
        """Accept one message to Amina, or as `changes` to the request say."""
        data: Mapping[str, Any] = {"note": {"text": "hello"}, "code": {"code": "908172"}, "offer": {"text": "now"}}[
            template
        ]
        to: Recipient = changes.pop("to", make_recipient())
        request = SendRequest(template=template, to=to, **({"data": data} | changes))
        idempotency = None if key is None else IdempotencyKey(key=key, fingerprint=repr(request))
        return await self.gateway.acceptor.accept(self.service_id, live, Asked(request=request, key=idempotency))

    async def read(self, accepted: Accepted) -> MessageRecord:
        """What is known of it now."""
        return await self.gateway.log.read(accepted.message_id, self.service_id)

    async def settled(self, accepted: Accepted, *statuses: DeliveryStatus) -> MessageRecord:
        """Its record once its status is one of those, or by default once it is final."""
        return await eventually(
            lambda: self.read(accepted),
            lambda record: record.status in statuses if statuses else record.status.is_final,
        )

    async def events(self, accepted: Accepted) -> list[str]:
        """The types of its timeline, oldest first."""
        page = await self.gateway.log.events(accepted.message_id, None, 100, None)
        return [event.type for event in page.items]


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    work: bool,
    together: bool = False,
    clock: Clock | None = None,
    further: Collection[Provider] = (),
) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """A gateway that accepts and one that dispatches: the same one, or in scaled mode two, if any is to `work`."""
    if not settings.queue.url:
        async with open_gateway(settings, work=work, together=together, clock=clock, further=further) as gateway:
            yield gateway, gateway
        return
    async with open_gateway(settings, work=False, clock=clock, further=further) as gateway:
        if not work:
            yield gateway, gateway
            return
        async with open_gateway(settings, work=True, clock=clock, further=further) as other:
            yield gateway, other


@asynccontextmanager
async def open_rig(
    folder: Path,
    *,
    further: Collection[Provider] = (),
    clock: Clock | None = None,
    work: bool = True,
    together: bool = False,
    **sections: Any,
) -> AsyncIterator[Rig]:
    """A gateway on `folder`; sections are settings, such as `routes=[…]`."""
    settings = make_settings(folder, **sections)
    async with opened(settings, work=work, together=together, clock=clock, further=further) as (gateway, working):
        service = await find_or_register(gateway.services, FIRST_SERVICE, gateway.clock.now())
        yield Rig(gateway, working, service.id)


def routes_to(*providers: str) -> list[dict[str, Any]]:
    """Every channel through these providers, in order."""
    return [{"channel": channel, "providers": providers} for channel in ("email", "sms", "push")]
