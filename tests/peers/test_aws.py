"""SES and SNS as moto plays them: what it signs is believed, with the certificate that it serves."""

import asyncio
import email
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.http import ALL_SCOPES, Caller, Site, open_site, send_body, settled
from tests.peers.aws import KEY_ID, REGION, SECRET, Aws, running_aws

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class House:
    """A gateway, and AWS."""

    site: Site
    caller: Caller
    aws: Aws

    async def publish(self, event: object) -> None:
        """Have SNS tell it, as SES would."""
        await asyncio.to_thread(self.aws.sns.publish, TopicArn=self.aws.topic_arn, Message=json.dumps(event))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with running_aws() as aws:
        account = {
            "kind": "ses", "region": REGION, "access_key_id": KEY_ID, "secret_access_key": SECRET,
            "base_url": aws.url, "sns_url": aws.sns_url, "topic_arns": [aws.topic_arn],
            "from": "Shop <shop@example.com>",
        }  # fmt: skip
        sections: dict[str, Any] = {
            "providers": {"ses": account}, "routes": [{"channel": "email", "providers": ["ses"]}]
        }  # fmt: skip
        folder: Path = tmp_path_factory.mktemp("aws")
        async with open_site(folder, work=True, **sections) as site:
            endpoint = str(site.client.make_url("/webhooks/ses"))
            await asyncio.to_thread(aws.sns.subscribe, TopicArn=aws.topic_arn, Protocol="http", Endpoint=endpoint)
            yield House(site, await site.caller("shop", ALL_SCOPES), aws)


async def send(house: House) -> tuple[str, dict[str, Any]]:
    """A message that SES took, and its delivery."""
    accepted = await house.caller.post("/v1/messages", send_body())
    assert accepted.status == 202, accepted.body
    message = await settled(house.caller, accepted.body["id"], "sent", "failed", "unknown")
    assert message["status"] == "sent", message
    return message["id"], message["deliveries"][0]


def event(delivery: dict[str, Any], kind: str, **particulars: object) -> dict[str, Any]:
    tags = {"delivery_id": [delivery["id"]], "attempt_id": [delivery["attempts"][0]["id"]]}
    mail = {"messageId": delivery["provider_message_id"], "tags": tags}
    at = {"timestamp": "2026-11-22T08:00:00.000Z"}
    return {"eventType": kind, "mail": mail, kind.lower(): {**at, **particulars}}


async def test_ses_gets_the_whole_message_under_a_signature_that_it_takes(house: House) -> None:
    _, delivery = await send(house)

    (raw,) = [one for one in house.aws.sent() if one.id == delivery["provider_message_id"]]
    mail = email.message_from_string(raw.raw_data)
    assert (mail["To"], mail["From"]) == ("amina@example.org", "Shop <shop@example.com>")
    assert set(raw.destinations) == {"amina@example.org"}


async def test_a_signed_event_moves_the_delivery_once_however_often_it_is_told(house: House) -> None:
    message, delivery = await send(house)

    for _ in range(3):
        await house.publish(event(delivery, "Delivery", smtpResponse="250 ok"))

    await settled(house.caller, message, "delivered")
    items = (await house.caller.get(f"/v1/messages/{message}/events")).body["items"]
    assert [one["type"] for one in items].count("delivery.delivered") == 1


async def test_a_signed_bounce_suppresses_the_address(house: House) -> None:
    message, delivery = await send(house)
    hard = {"bounceType": "Permanent", "bounceSubType": "NoEmail", "bouncedRecipients": [{"status": "5.1.1"}]}

    await house.publish(event(delivery, "Bounce", feedbackId="f-1", **hard))

    await settled(house.caller, message, "undelivered")
    listed = (await house.caller.get("/v1/suppressions", address="amina@example.org")).body["items"]
    assert [one["reason"] for one in listed] == ["bounce"]
