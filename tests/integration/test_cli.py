"""The real command as people and scripts use it: a gateway in one process, commands in others."""

import asyncio
import csv
import io
import json
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.http import ORDER_DATA, send_body
from tests.servers import free_port
from tests.serving import Served, plain_environment, run_command, serving
from tests.waiting import eventually

LIMITS = """
[spending.prices.mailbox]
other = "0.0005"
[[spending.limits]]
name = "mails"
per = "24h"
messages = 1_000_000
cost = "900.00"
channels = ["email"]
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One gateway for all commands."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "heliograph.toml").write_text(LIMITS, encoding="utf-8")
    async with serving(folder, HELIOGRAPH_CONFIG=str(folder / "heliograph.toml")) as gateway:
        yield gateway


async def test_the_first_start_prints_one_key_alone_on_its_line(tmp_path: Path) -> None:
    async with serving(tmp_path) as first:
        assert first.key.startswith("hg_live_")
        assert first.process.stdout is not None
        assert await first.stop() == 0
        assert await first.process.stdout.read() == b""

    async with serving(tmp_path, first=False) as second:
        assert second.process.stdout is not None
        assert await second.stop() == 0
        assert await second.process.stdout.read() == b""


async def test_a_message_goes_out_with_one_command(served: Served) -> None:
    sent = await run_command(
        "send", "order-shipped", "--sample", "usual", "--email", "amina@example.org", "--locale", "fr-CA",
        "--channel", "email", "--tag", "shell", "--json", environment=served.environment,
    )  # fmt: skip

    message_id = json.loads(sent.out)["id"]
    assert sent.status == 0
    async with asyncio.timeout(20):
        while (shown := json.loads((await served.run("messages", "show", message_id, "--json")).out))["status"] in (
            "accepted",
            "sending",
        ):
            pass
    assert (shown["status"], shown["locale"]) == ("delivered", "fr-CA")
    assert next(event["type"] for event in shown["events"]) == "message.accepted"
    decision = shown["deliveries"][0]["decision"]
    assert (decision["decision"], decision["route"]) == ("send", ["mailbox"])
    assert [step["rule"] for step in decision["trace"]][:3] == ["expiry", "suppression", "consent"]
    told = await served.run("messages", "show", message_id)
    assert "delivery.delivered" in told.out
    assert all(word in told.out for word in ("outcome", "code", "detail"))
    listed = await served.run("messages", "list", "--tag", "shell")
    assert message_id in listed.out
    assert "mailbox" in listed.out
    for found, filters in (
        (True, ("--provider", "mailbox")),
        (False, ("--provider", "nobody")),
        (True, ("--service", "default")),
        (False, ("--service", "another")),
    ):
        filtered = await served.run("messages", "list", "--tag", "shell", *filters)
        assert (message_id in filtered.out) is found, filters


async def test_what_was_spent_is_shown(served: Served) -> None:
    sent = (
        "send",
        "order-shipped",
        "--sample",
        "usual",
        "--email",
        "amina@example.org",
        "--channel",
        "email",
        "--json",
    )
    assert (await served.run(*sent)).status == 0

    async def shown() -> str:
        return (await served.run("spending")).out

    table = await eventually(shown, lambda told: "of 1000000" in told, 20)

    assert all(word in table for word in ("mails", "default", "1d", "of 900.00 EUR"))
    (limit,) = json.loads((await served.run("spending", "--json")).out)["limits"]
    assert limit["messages"]["used"] >= 1
    assert float(limit["cost"]["used"]) == pytest.approx(0.0005 * limit["messages"]["used"])


async def test_a_scheduled_message_can_be_taken_back_once(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        body = send_body(send_at="2026-12-31T00:00:00Z")
        async with session.post(f"{served.url}/v1/messages", json=body) as response:
            message_id = (await response.json())["id"]

    cancelled = await served.run("messages", "cancel", message_id, "--reason", "the warehouse burned down")
    shown = await served.run("messages", "show", message_id, "--json")
    missing = await served.run("messages", "cancel", "msg_none")
    unseen = await served.run("messages", "show", "msg_none")

    assert (cancelled.status, cancelled.out) == (0, "")
    assert "the warehouse burned down" in shown.out
    assert missing.status == unseen.status == 1
    for told in (missing.err, unseen.err):
        assert "There is no message msg_none that this key may see" in " ".join(told.split())


async def test_explain_tells_why_a_message_would_not_go(served: Served) -> None:
    data = json.dumps({"discount": 0.2, "coupon": "B", "ends": "2026-12-24", "shop_url": "https://example.org"})

    told = await served.run(
        "explain", "win-back-offer", "--email", "amina@example.org", "--channel", "email", "--data", data
    )

    sampled = await served.run(
        "explain", "win-back-offer", "--email", "amina@example.org", "--channel", "email", "--sample", "usual"
    )

    assert (told.status, sampled.status) == (0, 0)
    assert "email in en: suppress" in told.out
    assert "consent" in told.out
    assert "suppress" in sampled.out


async def test_explain_tries_the_rules_of_a_file(served: Served, tmp_path: Path) -> None:
    rules, broken = tmp_path / "rules.toml", tmp_path / "broken.toml"
    rules.write_text(
        "[[quiet_hours]]\nname = 'night'\ncategories = ['transactional']\nvalid_from = 2026-01-01\n"
        "forbid = [{from = '20:00', to = '08:00'}]\n",
        encoding="utf-8",
    )
    broken.write_text("[[quiet_hours]", encoding="utf-8")
    asked = (
        "explain", "order-shipped", "--email", "amina@example.org", "--channel", "email", "--sample", "usual",
        "--timezone", "Europe/Berlin", "--at", "2026-11-30T22:00:00Z",
    )  # fmt: skip

    told = await served.run(*asked, "--rules", str(rules), "--json")
    refused = await served.run(*asked, "--rules", str(broken))

    (delivery,) = json.loads(told.out)["deliveries"]
    assert (delivery["rule"], delivery["not_before"]) == ("night", "2026-12-01T07:00:00Z")
    assert refused.status == 2
    assert "broken.toml" in refused.err


async def test_people_and_what_they_want_are_kept(served: Served) -> None:
    kept = await served.run(
        "recipients", "put", "user-42", "--email", "amina@example.org", "--locale", "fr-CA",
        "--attributes", '{"name": "Amina"}', "--json",
    )  # fmt: skip
    said = await served.run("consents", "set", "user-42", "email", "offers", "granted", "--json")
    await served.run("consents", "set", "user-42", "email", "offers", "denied")
    read = await served.run("recipients", "get", "user-42")
    now = await served.run("consents", "list", "user-42", "--json")
    history = await served.run("consents", "history", "user-42", "--json")

    assert json.loads(kept.out)["attributes"] == {"name": "Amina"}
    assert json.loads(said.out)["items"][0]["state"] == "granted"
    assert "amina@example.org" in read.out
    assert [line["state"] for line in json.loads(now.out)["items"]] == ["denied"]
    assert [line["state"] for line in json.loads(history.out)["items"]] == ["denied", "granted"]


async def test_an_address_is_suppressed_and_allowed_again(served: Served) -> None:
    added = await served.run("suppressions", "add", "sms", "+33612345678", "--reason", "stop", "--json")
    listed = await served.run("suppressions", "list", "--channel", "sms")
    removed = await served.run("suppressions", "remove", json.loads(added.out)["id"])
    left = await served.run("suppressions", "list", "--channel", "sms", "--address", "+33612345678", "--json")

    assert "+33612345678" in listed.out
    assert (added.status, removed.status) == (0, 0)
    assert json.loads(left.out)["items"] == []


async def test_an_endpoint_is_made_changed_tried_and_removed(served: Served) -> None:
    # A name that the system reads as 127.0.0.2.
    made = json.loads((await served.run("webhooks", "add", "https://0x7f000002/", "--tag", "shop", "--json")).out)
    one = made["id"]

    changed = json.loads((await served.run("webhooks", "change", one, "--type", "delivery.sent", "--json")).out)
    turned = [json.loads((await served.run("webhooks", word, one, "--json")).out) for word in ("disable", "enable")]
    rotated = await served.run("webhooks", "rotate", one, "--overlap", "0s")
    tried = await served.run("webhooks", "test", one)
    replayed = await served.run("webhooks", "replay", one, "--since", "2026-01-01T00:00:00Z")
    shown = await served.run("webhooks", "show", one)
    removed = await served.run("webhooks", "remove", one)

    assert made["secret"].startswith("whsec_")
    assert (changed["filters"]["types"], changed["filters"]["tags"]) == (["delivery.sent"], ["shop"])
    assert [(state["enabled"], state["disabled_reason"]) for state in turned] == [(False, "by_hand"), (True, None)]
    assert rotated.out.splitlines()[-1].startswith("whsec_")
    assert made["secret"] not in rotated.out
    assert (tried.status, "It is not a public address" in tried.err) == (1, True)
    assert (replayed.status, removed.status) == (0, 0)
    assert one in shown.out
    assert one not in (await served.run("webhooks", "list")).out


async def test_templates_are_listed_shown_and_previewed(served: Served) -> None:
    listed = await served.run("templates", "list", "--json")
    shown = await served.run("templates", "show", "order-shipped")
    preview = await served.run("templates", "preview", "order-shipped", "sms", "--locale", "de")

    assert "order-shipped" in [each["name"] for each in json.loads(listed.out)["items"]]
    mail = await served.run("templates", "preview", "order-shipped", "email", "--locale", "ar")
    page = await served.run("templates", "preview", "order-shipped", "email", "--locale", "ar", "--html")
    no_page = await served.run("templates", "preview", "order-shipped", "sms", "--html")

    assert "total" in shown.out
    assert ("subject" in mail.out, "<html" in mail.out) == (True, False)
    assert page.out.startswith("<!DOCTYPE html>")
    assert (no_page.status, no_page.out) == (2, "")
    assert (preview.status, "in de" in preview.out, preview.err) == (0, True, "")


async def test_a_refusal_names_the_fields_and_ends_with_one(served: Served) -> None:
    refused = await served.run("send", "order-shipped", "--email", "amina@", "--data", json.dumps(ORDER_DATA))

    assert (refused.status, refused.out) == (1, "")
    assert "/to/email" in refused.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["send", "order-shipped", "--data", "{", "--email", "a@example.org"], 2, "--data"),
        (["send", "order-shipped", "--data", "[]", "--email", "a@example.org"], 2, "JSON object"),
        (["send", "order-shipped", "--data", "@/nowhere.json", "--email", "a@example.org"], 2, "cannot be read"),
        (["send"], 2, "Missing argument"),
        (["suppressions", "add", "pigeon", "x"], 2, "pigeon"),
        (["messages", "show", "../../healthz"], 1, ""),
    ],
)
async def test_wrong_use_ends_with_two_and_a_sentence(served: Served, words: list[str], status: int, said: str) -> None:
    ended = await served.run(*words)

    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err


async def test_an_unknown_command_is_named(served: Served) -> None:
    ended = await run_command("nonsense", environment=served.environment)

    assert (ended.status, "No such command 'nonsense'" in ended.err) == (2, True)


async def test_a_command_without_a_key_or_a_gateway_says_what_to_do(served: Served) -> None:
    without_key = await served.run("templates", "list", HELIOGRAPH_KEY="")
    without_gateway = await served.run("templates", "list", HELIOGRAPH_URL=f"http://127.0.0.1:{free_port()}")

    assert (without_key.status, without_gateway.status) == (2, 1)
    assert "--key" in without_key.err
    assert "heliograph serve" in without_gateway.err


async def test_the_store_is_brought_up_to_date_by_hand(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path / "fresh", free_port())

    fresh = await run_command("db", "current", "--json", environment=environment)
    upgraded = await run_command("db", "upgrade", environment=environment)
    current = await run_command("db", "current", "--json", environment=environment)

    assert (fresh.status, json.loads(fresh.out)["store"]) == (1, None)
    assert upgraded.status == 0
    assert (current.status, json.loads(current.out)["store"]) == (0, json.loads(fresh.out)["needed"])


async def test_templates_of_a_folder_are_checked_before_they_serve(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path, free_port())
    broken = tmp_path / "templates" / "broken"
    broken.mkdir(parents=True)
    (broken / "template.toml").write_text('category = "none"', encoding="utf-8")

    shipped = await run_command("templates", "check", "--json", environment=environment)
    refused = await run_command("templates", "check", str(tmp_path / "templates"), environment=environment)

    assert (shipped.status, json.loads(shipped.out)["refused"]) == (0, {})
    assert (refused.status, "broken: " in refused.err) == (1, True)


async def test_settings_that_are_wrong_stop_the_start_with_the_key(tmp_path: Path) -> None:
    environment = {**plain_environment(tmp_path, free_port()), "HELIOGRAPH_SERVER_PORT": "eighty"}

    stopped = await run_command("serve", environment=environment)

    assert (stopped.status, stopped.out) == (1, "")
    assert "HELIOGRAPH_SERVER_PORT" in stopped.err


async def test_a_setting_that_cannot_be_used_is_told_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "heliograph.toml").write_text('[content]\ntemplates = "nowhere"\n', encoding="utf-8")
    environment = {**plain_environment(tmp_path, free_port()), "HELIOGRAPH_CONFIG": str(tmp_path / "heliograph.toml")}

    stopped = await run_command("serve", environment=environment)

    assert (stopped.status, stopped.out) == (1, "")
    assert "heliograph.toml:2: content.templates: there is no folder nowhere" in stopped.err


async def test_a_taken_port_is_told_in_a_sentence(served: Served, tmp_path: Path) -> None:
    port = int(served.url.rpartition(":")[2])

    stopped = await run_command("serve", environment=plain_environment(tmp_path, port))

    assert stopped.status == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in stopped.err
    assert "Traceback" not in stopped.err


async def test_a_gateway_that_is_told_to_stop_finishes_its_calls_and_refuses_new_posts(tmp_path: Path) -> None:
    relay = SlowRelay()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (tmp_path / "heliograph.toml").write_text(
        f'[providers.relay]\nkind = "smtp"\nhost = "127.0.0.1"\nport = {port}\n'
        '[[routes]]\nchannel = "email"\nproviders = ["relay"]\n',
        encoding="utf-8",
    )

    async with serving(tmp_path, HELIOGRAPH_CONFIG=f"{tmp_path}/heliograph.toml") as gateway:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {gateway.key}"}) as session:
            async with session.post(f"{gateway.url}/v1/messages", json=send_body()) as response:
                assert response.status == 202
            await asyncio.wait_for(relay.called.wait(), 20)
            stopping = asyncio.create_task(gateway.stop())
            answer = await eventually(lambda: post(session, gateway), lambda seen: seen[0] != 202)
        relay.may_answer.set()
        status = await stopping
    server.close()
    await server.wait_closed()

    assert answer[0] == 503
    assert int(answer[1]) > 0
    assert (status, relay.taken) == (0, 1)


async def post(session: aiohttp.ClientSession, gateway: Served) -> tuple[int, str]:
    body = send_body(send_at="2026-12-31T00:00:00Z")
    async with session.post(f"{gateway.url}/v1/messages", json=body) as response:
        return response.status, response.headers.get("Retry-After", "")


class SlowRelay:
    """An SMTP server that greets nobody before it is told to."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.taken = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One conversation."""
        self.called.set()
        await self.may_answer.wait()
        writer.write(b"220 relay\r\n")
        while line := await reader.readline():
            verb = line.strip().upper()[:4]
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                while await reader.readline() != b".\r\n":
                    pass
                self.taken += 1
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                break
        writer.close()


async def test_a_text_is_handed_in_signed_and_listed(served: Served) -> None:
    handed_in = await served.run("messages", "receive", "Stop!", "--from", "+33612345699", "--id", "evt-cli")
    again = await served.run("messages", "receive", "Stop!", "--from", "+33612345699", "--id", "evt-cli")

    listed = json.loads((await served.run("messages", "inbound", "--meaning", "stop", "--json")).out)["items"]
    assert (handed_in.status, again.status) == (0, 0), handed_in.err
    assert [(text["sender"], text["text"]) for text in listed] == [("+33612345699", "Stop!")]


async def test_people_come_and_go_in_files(served: Served, tmp_path: Path) -> None:
    await served.run("suppressions", "add", "sms", "+33611111111", "--reason", "complaint")
    people, errors, back = tmp_path / "people.csv", tmp_path / "errors.ndjson", tmp_path / "back.csv"
    people.write_text(
        "id;email;phone;attributes.tier\n"
        "imp-1;Amina@Example.org;+33 6 12 34 56 78;gold\n"
        "imp-2;not an address;;\n"
        "imp-3;;+33611111111;\n",
        encoding="utf-8",
    )

    kept = await served.run("recipients", "import", str(people), "--errors", str(errors), "--json")
    piped = await run_command(
        "recipients",
        "import",
        "-",
        environment=served.environment,
        stdin=b'{"id": "imp-4", "email": "x@example.org"}\n',
    )
    out = await served.run("recipients", "export", str(back))
    found = await served.run("recipients", "list", "--email", "Amina@example.org", "--json")

    assert (kept.status, piped.status, out.status) == (3, 0, 0)
    assert json.loads(kept.out) == {"rows": 3, "created": 2, "refused": 1, "with a suppressed address": 1}
    (problem,) = [json.loads(line) for line in errors.read_text(encoding="utf-8").splitlines()]
    assert (problem["line"], problem["field"], problem["code"]) == (3, "email", "bad_email")
    assert f"line 3, email: {problem['message']}" in kept.err
    rows = list(csv.DictReader(io.StringIO(back.read_text(encoding="utf-8"))))
    (amina,) = [row for row in rows if row["id"] == "imp-1"]
    assert (amina["email"], amina["phone"], amina["attributes"]) == (
        "Amina@example.org",
        "+33612345678",
        '{"tier":"gold"}',
    )
    assert [item["id"] for item in json.loads(found.out)["items"]] == ["imp-1"]
    assert sorted(os.listdir(tmp_path)) == ["back.csv", "errors.ndjson", "heliograph.db", "people.csv"]
    again = await served.run("recipients", "import", str(back), "--json")
    assert (again.status, json.loads(again.out)["replaced"]) == (0, len(rows))


async def test_a_row_that_has_the_whole_call_refused_is_told_and_the_others_are_kept(
    served: Served, tmp_path: Path
) -> None:
    rows = [
        '"ok-1"',
        '"nul-\\u0000"',
        '"half-\\ud800"',
        '"ok-2", "attributes": ' + '{"a": ' * 40 + "1" + "}" * 40,
        '"ok-3"',
    ]
    source = tmp_path / "hostile.ndjson"
    source.write_text("".join(f'{{"id": {row}}}\n' for row in rows), encoding="utf-8")

    kept = await served.run("recipients", "import", str(source), "--json")

    assert (kept.status, json.loads(kept.out)) == (3, {"rows": 5, "created": 2, "refused": 3})
    assert all(f"line {line}" in kept.err for line in (2, 3, 4))


async def test_an_import_that_was_killed_goes_on_where_it_stopped(served: Served, tmp_path: Path) -> None:
    rows = 12_000
    source, errors = tmp_path / "many.ndjson", tmp_path / "errors.csv"
    lines = [json.dumps({"channel": "email", "address": f"u{n}@example.org", "reason": "manual"}) for n in range(rows)]
    lines[9], lines[-1] = '{"channel": "email"}', "{"
    source.write_text("\n".join(lines), encoding="utf-8")
    words = ("suppressions", "import", str(source), "--errors", str(errors), "--json")
    checkpoint = tmp_path / "many.ndjson.import"

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli.main", *words, env=served.environment, stdout=PIPE, stderr=PIPE
    )
    await eventually(lambda: asyncio.to_thread(checkpoint.exists), bool)
    process.kill()
    await process.communicate()
    behind = json.loads(checkpoint.read_text(encoding="utf-8"))["rows"]
    refused = await served.run(*words[:2], "-", "--resume")
    resumed = await served.run(*words, "--resume")

    assert 0 < behind < rows
    assert refused.status == 2
    assert resumed.status == 3
    told = json.loads(resumed.out)
    assert (told["rows"], told["refused"]) == (rows, 2)
    assert told["added"] + told.get("stood", 0) == rows - 2
    assert told.get("stood", 0) <= 4 * 500
    problems = list(csv.DictReader(io.StringIO(errors.read_text(encoding="utf-8"))))
    assert [problem["line"] for problem in problems] == ["10", "10", str(rows)]
    assert not checkpoint.exists()


async def test_a_changed_file_is_not_gone_on_with(served: Served, tmp_path: Path) -> None:
    source = tmp_path / "few.ndjson"
    source.write_text('{"id": "few-1"}\n', encoding="utf-8")
    (tmp_path / "few.ndjson.import").write_text('{"sha256": "other", "rows": 1}', encoding="utf-8")

    changed = await served.run("recipients", "import", str(source), "--resume")
    anew = await served.run("recipients", "import", str(source))
    nothing = await served.run("recipients", "import", str(source), "--resume")

    assert (changed.status, anew.status, nothing.status) == (2, 0, 0)
    assert "not the file it was" in changed.err
    assert "begins with the first row" in nothing.err


async def test_a_ledger_is_filled_from_a_file_and_checked_line_by_line(served: Served, tmp_path: Path) -> None:
    source = tmp_path / "consents.csv"
    source.write_text(
        "id,channel,topic,state,source,at,evidence.form\n"
        "led-1,email,offers,granted,old system,2025-01-01T09:00:00Z,f-7\n"
        "led-2,email,offers,granted,,2025-01-01T09:00:00Z,\n"
        "led-3,sms,offers,denied,,,\n",
        encoding="utf-8",
    )

    filled = await served.run("consents", "import", str(source), "--json")
    again = await served.run("consents", "import", str(source), "--json")
    then = await served.run("consents", "list", "led-1", "--at", "2025-06-01T00:00:00Z", "--json")
    whole = await served.run("consents", "verify", "--json")

    assert (filled.status, json.loads(filled.out)) == (3, {"rows": 3, "added": 2, "refused": 1})
    assert "line 3, source: " in filled.err
    assert json.loads(again.out) == {"rows": 3, "refused": 1, "stood": 2}
    assert [line["evidence"] for line in json.loads(then.out)["items"]] == [{"form": "f-7"}]
    told = json.loads(whole.out)
    assert (whole.status, told["whole"], told["findings"]) == (0, True, [])
    assert told["lines"] >= 2
    (end,) = told["ends"]
    store = sqlite3.connect(served.environment["HELIOGRAPH_STORE_URL"].removeprefix("sqlite:///"))
    store.execute("UPDATE consents SET at = at + 1 WHERE recipient_id = 'led-1'")
    store.commit()
    touched = await served.run("consents", "verify", "--noted", end)
    store.execute("UPDATE consents SET at = at - 1 WHERE recipient_id = 'led-1'")
    store.commit()
    store.close()
    assert touched.status == 1
    assert "changed" in touched.out
    assert (await served.run("consents", "verify", "--noted", end)).status == 0
    assert (await served.run("consents", "verify", "--noted", "svc:1:x")).status == 2


async def test_the_audit_trail_says_who_and_why(served: Served) -> None:
    added = await served.run("suppressions", "add", "email", "audited@example.org", "--json")
    suppression = json.loads(added.out)["id"]

    lifted = await served.run("suppressions", "remove", suppression, "--reason", "it was a typo")
    shown = await served.run("db", "audit", "--subject", suppression, "--json")
    table = await served.run("db", "audit", "--action", "suppression.lift", "--since", "2026-01-01T00:00:00Z")
    nobody = await served.run("db", "audit", "--recipient", "nobody/x")

    assert lifted.status == 0
    (entry,) = json.loads(shown.out)["items"]
    assert (entry["action"], entry["reason"]) == ("suppression.lift", "it was a typo")
    assert entry["actor"].startswith("key:key_")
    assert "it was a typo" in table.out
    assert nobody.status == 1
    assert (await served.run("db", "audit", "--since", "yesterday")).status == 2


async def test_a_persons_data_is_given_out_and_erased(served: Served) -> None:
    await served.run("recipients", "put", "leaving", "--email", "leaving@example.org")

    told = await served.run("recipients", "report", "leaving", "--reason", "asked by letter")
    erased = await served.run("recipients", "erase", "leaving", "--yes", "--reason", "asked by letter")
    again = await served.run("recipients", "erase", "leaving", "--yes")

    held = json.loads(told.out)
    assert [person["email"] for person in held["recipient"]] == ["leaving@example.org"]
    assert [entry["reason"] for entry in held["audit"]] == ["asked by letter"]
    assert (erased.status, again.status) == (0, 1)
    assert "leaving is erased" in erased.err
