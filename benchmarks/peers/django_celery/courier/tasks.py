"""One task delivers one message."""

import smtplib
from datetime import datetime

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from courier import mail
from courier.models import Event, Message
from courier.policy import Decision, decide
from courier.rendering import render

_ENDS = {"suppress": Message.Status.SUPPRESSED, "expire": Message.Status.EXPIRED, "hold": Message.Status.HELD}


@shared_task(bind=True, max_retries=8)
def deliver(self, message_id: str) -> None:
    """Claim the message, decide, render, send, and record what came of it."""
    waiting = (Message.Status.ACCEPTED, Message.Status.HELD)
    claimed = Message.objects.filter(pk=message_id, status__in=waiting).update(status=Message.Status.SENDING)
    if not claimed:
        return
    message = Message.objects.get(pk=message_id)
    now = timezone.now()
    decision = decide(message, now)
    if decision.verdict != "send":
        _set_aside(message, decision, now)
        if decision.not_before:
            deliver.apply_async((message_id,), eta=decision.not_before)
        return
    locale, content = render(message)
    try:
        header = mail.send(message, locale, content)
    except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
        _refused(self, message, error)
        return
    with transaction.atomic():
        message.status, message.attempts = Message.Status.SENT, message.attempts + 1
        message.locale, message.content, message.provider_message_id = locale, content, header
        message.save(
            update_fields=["status", "attempts", "locale", "content", "provider_message_id", "updated_at"],
            force_update=True,
        )
        Event.objects.bulk_create(
            [
                Event(message=message, type="sending", at=now, detail={"decision": "send"}),
                Event(message=message, type="sent", at=timezone.now(), detail={"provider": "relay"}),
            ]
        )


def _set_aside(message: Message, decision: Decision, now: datetime) -> None:
    message.status, message.reason = _ENDS[decision.verdict], decision.reason
    message.not_before = decision.not_before
    with transaction.atomic():
        message.save(update_fields=["status", "reason", "not_before", "updated_at"])
        Event.objects.create(message=message, type=message.status, at=now, detail={"reason": decision.reason})


def _refused(task, message: Message, error: smtplib.SMTPException) -> None:
    """Try again later after a 4xx, give up after a 5xx."""
    is_lasting = not isinstance(error, smtplib.SMTPResponseException) or error.smtp_code >= 500
    message.status = Message.Status.FAILED if is_lasting else Message.Status.ACCEPTED
    message.attempts += 1
    with transaction.atomic():
        message.save(update_fields=["status", "attempts", "updated_at"])
        Event.objects.create(message=message, type=message.status, at=timezone.now(), detail={"error": str(error)})
    if not is_lasting:
        raise task.retry(countdown=5 * 2**message.attempts)
