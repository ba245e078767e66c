"""Services and their keys, consents, suppressions, messages and their events."""

import uuid

from django.db import models


class Service(models.Model):
    name = models.TextField(unique=True)


class ApiKey(models.Model):
    digest = models.CharField(max_length=64, unique=True)
    service = models.ForeignKey(Service, on_delete=models.CASCADE)
    revoked_at = models.DateTimeField(null=True)


class Consent(models.Model):
    service = models.ForeignKey(Service, on_delete=models.CASCADE)
    recipient_id = models.TextField()
    channel = models.CharField(max_length=8)
    topic = models.TextField()
    state = models.CharField(max_length=8)
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=["service", "recipient_id", "topic", "-recorded_at"], name="consent_of"),)


class Suppression(models.Model):
    channel = models.CharField(max_length=8)
    address = models.TextField()
    reason = models.CharField(max_length=16)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["channel", "address"], name="suppression_of"),)


class Message(models.Model):
    class Status(models.TextChoices):
        ACCEPTED = "accepted"
        HELD = "held"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"
        SUPPRESSED = "suppressed"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(Service, on_delete=models.CASCADE)
    idempotency_key = models.TextField(null=True)
    digest = models.CharField(max_length=64)
    """Of the request body: the same key with another body is refused."""
    template = models.TextField()
    category = models.CharField(max_length=16)
    topic = models.TextField()
    recipient = models.JSONField()
    data = models.JSONField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACCEPTED)
    reason = models.TextField(null=True)
    attempts = models.SmallIntegerField(default=0)
    locale = models.CharField(max_length=16, null=True)
    content = models.JSONField(null=True)
    provider_message_id = models.TextField(null=True)
    not_before = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["service", "idempotency_key"], name="one_message_a_key"),)
        indexes = (
            models.Index(
                fields=["created_at"], name="still_open", condition=models.Q(status__in=["accepted", "held", "sending"])
            ),
        )


class Event(models.Model):
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="events")
    type = models.CharField(max_length=32)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)
