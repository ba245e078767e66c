"""The bytes of one e-mail: HTML and text with accents, subject in French, against the standard library."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from benchmarks import measure
from benchmarks.measure import Effort
from gateway.domain.messages import EmailContent
from gateway.rendering.email import build_mime

SENDER, TO = "Boutique Élan <boutique@example.org>", "amina@example.net"
DATE = datetime(2026, 11, 22, 12, tzinfo=UTC)
LINE = '<p style="margin: 0 0 16px; color: #1f1b16;">Votre commande est arrivée à l\'entrepôt de Montréal.</p>\n'


def content(number: int) -> EmailContent:
    """An e-mail of about five kilobytes of HTML, a little different each time."""
    return EmailContent(
        subject=f"Votre commande n° {number} a été expédiée",
        preheader="",
        html=f'<!DOCTYPE html><html lang="fr"><body><h1>{number}</h1>{LINE * 46}</body></html>',
        text=f"Commande {number}\n\n" + "Votre commande est arrivée à l'entrepôt de Montréal.\n" * 18,
        locale="fr",
        headers=(
            ("List-Unsubscribe", f"<https://example.org/u/{number}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ),
    )


def ours() -> Callable[[int], object]:
    """As the dispatcher builds it."""

    def build(number: int) -> object:
        header = f"<dlv_{number}@example.org>"
        return build_mime(
            content(number), sender=SENDER, to=TO, message_id=header, date=DATE, boundary_seed=str(number)
        )

    return build


def standard_library() -> Callable[[int], object]:
    """As the documentation of `email` shows it."""

    def build(number: int) -> object:
        mail = content(number)
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = SENDER, TO, mail.subject
        message["Date"], message["Message-ID"] = format_datetime(DATE), f"<dlv_{number}@example.org>"
        message["Content-Language"] = mail.locale
        for name, value in mail.headers:
            message[name] = value
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message.as_bytes()

    return build


def main(effort: Effort) -> None:
    """Print the table."""
    subjects = {"email.message.EmailMessage": standard_library(), "Heliograph": ours()}
    times = measure.time_rounds(subjects, operations=effort.part(150, least=3), rounds=effort.rounds)
    rows = measure.compare(times, "email.message.EmailMessage")
    title = "MIME build of a multipart e-mail, 5 KB of HTML and 1 KB of text"
    measure.print_table(title, rows, rounds=effort.rounds, goal="at least 20 times")
