"""A messaging service as a Django team would build it: HTTP in, PostgreSQL, one Celery task a message, SMTP out."""

from courier.queue import app

__all__ = ["app"]
