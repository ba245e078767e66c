"""One kept SMTP connection a worker process."""

import smtplib

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend

from courier.models import Message

_connections: list[EmailBackend] = []


def send(message: Message, locale: str, content: dict[str, str]) -> str:
    """Hand the e-mail to the relay and return its Message-ID. Raises smtplib.SMTPException, OSError."""
    header = f"<{message.pk}@localhost.localdomain>"
    mail = EmailMultiAlternatives(
        subject=content["subject"],
        body=content["text"],
        to=[message.recipient["email"]],
        headers={"Message-ID": header, "Content-Language": locale},
    )
    mail.attach_alternative(content["html"], "text/html")
    if not _connections:
        _connections.append(get_connection())
    connection = _connections[0]
    connection.open()
    try:
        connection.send_messages([mail])
    except (smtplib.SMTPServerDisconnected, OSError):
        # The relay hung up an idle connection: once more over a new one.
        connection.connection = None
        connection.open()
        connection.send_messages([mail])
    return header
