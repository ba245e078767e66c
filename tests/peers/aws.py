"""Amazon SES and SNS as moto plays them, in a thread of its own on loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from botocore.session import Session

from tests.peers.kannel import serving

REGION = "eu-west-1"
KEY_ID, SECRET = "AKIDEXAMPLE", "secret-of-the-tests"


@dataclass(frozen=True)
class Aws:
    """A running one."""

    url: str
    """Its API."""
    sns_url: str
    """Where it serves certificates."""
    topic_arn: str
    sns: Any
    """AWS's own client."""

    def sent(self) -> list[Any]:
        """What SES was given."""
        backends = import_module("moto.ses.models").ses_backends
        messages: list[Any] = backends["123456789012"][REGION].sent_messages
        return messages


@asynccontextmanager
async def running_aws() -> AsyncIterator[Aws]:
    """SES with an identity and SNS with a topic, until the block ends."""
    try:
        moto = import_module("moto.server")
    except ImportError:
        pytest.fail("This peer is not installed: .venv/bin/pip install moto flask flask-cors", pytrace=False)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    session = Session()
    session.set_credentials(KEY_ID, SECRET)
    ses, sns = (session.create_client(one, region_name=REGION, endpoint_url=url) for one in ("sesv2", "sns"))
    try:
        ses.create_email_identity(EmailIdentity="example.com")
        async with serving("/{path:.*}", sns_behind(url)) as sns_url:
            yield Aws(url=url, sns_url=sns_url, topic_arn=sns.create_topic(Name="mail-events")["TopicArn"], sns=sns)
    finally:
        server.stop()


def sns_behind(url: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Passes requests on so that moto knows whose they are: it goes by the scope of a signature."""
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20261122/{REGION}/sns/aws4_request, Signature="}

    async def take(request: web.Request) -> web.Response:
        async with aiohttp.request("GET", f"{url}{request.raw_path}", headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    return take
