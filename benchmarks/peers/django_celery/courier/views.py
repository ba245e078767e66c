"""`POST /v1/messages` and `GET /v1/messages/<id>`."""

import hashlib
from functools import partial

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from pydantic import ValidationError

from courier.keys import service_of
from courier.models import Event, Message
from courier.requests import TEMPLATES, Send
from courier.tasks import deliver


def messages(request: HttpRequest) -> HttpResponse:
    """Accept one message: 202 once it is committed."""
    if request.method != "POST":
        return JsonResponse({"code": "method_not_allowed"}, status=405)
    service = service_of(request)
    if service is None:
        return JsonResponse({"code": "unauthorized"}, status=401)
    try:
        body = Send.model_validate_json(request.body)
        template = TEMPLATES.get(body.template)
        if template is None:
            return JsonResponse({"code": "unknown_template"}, status=422)
        template.data.model_validate(body.data)
    except ValidationError as error:
        return JsonResponse({"code": "invalid", "errors": error.errors(include_context=False)}, status=422)
    now = timezone.now()
    message = Message(
        service_id=service,
        idempotency_key=request.headers.get("Idempotency-Key"),
        digest=hashlib.sha256(request.body).hexdigest(),
        template=body.template,
        category=template.category,
        topic=template.topic,
        recipient=body.to.model_dump(),
        data=body.data,
        expires_at=body.expires_at or now + template.expires_after,
    )
    try:
        with transaction.atomic():
            message.save(force_insert=True)
            Event(message=message, type="accepted", at=now).save(force_insert=True)
            transaction.on_commit(partial(deliver.delay, str(message.pk)), robust=True)
    except IntegrityError:
        return _replay(message)
    return _answer(message)


def message(request: HttpRequest, message_id: str) -> HttpResponse:
    """One message with its timeline."""
    service = service_of(request)
    if service is None:
        return JsonResponse({"code": "unauthorized"}, status=401)
    found = Message.objects.filter(pk=message_id, service_id=service).first()
    if found is None:
        return JsonResponse({"code": "not_found"}, status=404)
    events = list(found.events.order_by("pk").values("type", "at", "detail"))
    return JsonResponse({**_shown(found), "content": found.content, "events": events})


def _replay(message: Message) -> HttpResponse:
    first = Message.objects.get(service_id=message.service_id, idempotency_key=message.idempotency_key)
    if first.digest != message.digest:
        return JsonResponse({"code": "idempotency_key_reused"}, status=422)
    answer = _answer(first)
    answer["Idempotent-Replayed"] = "true"
    return answer


def _answer(message: Message) -> HttpResponse:
    return JsonResponse(_shown(message), status=202, headers={"Location": f"/v1/messages/{message.pk}"})


def _shown(message: Message) -> dict[str, object]:
    return {
        "id": message.pk,
        "status": message.status,
        "template": message.template,
        "category": message.category,
        "topic": message.topic,
        "recipient": message.recipient,
        "locale": message.locale,
        "created_at": message.created_at,
    }
