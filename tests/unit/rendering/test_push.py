"""Payloads that fit, bodies cut where a reader would cut them."""

import json

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.messages import PushContent
from gateway.domain.push_payloads import LIMITS, payload
from gateway.domain.recipients import Channel, PushPlatform
from gateway.errors import RenderFailed
from gateway.rendering.push import fit
from tests.unit.rendering.workbench import Workbench, manifest


def push(body: str, **more: object) -> PushContent:
    return PushContent(title="Title", body=body, locale="en", bytes=0, **more)  # type: ignore[arg-type]


def test_letters_count_as_utf8_and_are_not_escaped() -> None:
    content = push("字")

    for platform in PushPlatform:
        assert "字".encode() in payload(content, platform)


@given(st.text(max_size=60), st.integers(1, 90))
def test_every_payload_fits_and_a_cut_leaves_whole_graphemes(text: str, times: int) -> None:
    body = text * times

    fitted = fit(push(body))

    sizes = {platform: len(payload(fitted, platform)) for platform in PushPlatform}
    assert all(size <= LIMITS[platform] for platform, size in sizes.items())
    assert fitted.bytes == max(sizes.values())
    if fitted.body != body:
        kept = fitted.body.removesuffix("…").rstrip("\u2069")
        graphemes = regex.findall(r"\X", body)
        assert any(kept == "".join(graphemes[:n]).rstrip().rstrip("\u2069") for n in range(len(graphemes)))


def test_a_body_at_the_limit_stays_and_one_more_letter_cuts() -> None:
    room = LIMITS[PushPlatform.WEBPUSH] - len(payload(push(""), PushPlatform.WEBPUSH))

    assert fit(push("a" * room)).body == "a" * room
    assert fit(push("a" * (room + 1))).body == "a" * (room - 3) + "…"


def test_families_and_flags_are_never_torn_and_isolates_are_closed() -> None:
    family = "👨\u200d👩\u200d👧\u200d👦"

    cut = fit(push("\u2068" + family * 400 + "\u2069")).body

    assert cut.endswith("👦\u2069…")
    assert cut.count("\u2068") == cut.count("\u2069") == 1


def test_a_title_is_cut_too_and_what_cannot_fit_is_refused() -> None:
    content = fit(PushContent(title="é" * 3000, body="b" * 5000, locale="en", bytes=0))

    assert content.title.endswith("é…")
    assert len(content.title.encode()) < 1100
    with pytest.raises(RenderFailed, match="too large"):
        fit(push("b", action="https://example.org/" + "a" * 5000))


def test_each_platform_gets_its_own_shape() -> None:
    content = push("B", action="https://x.org", image="https://x.org/i.png", badge=3, collapse_key="k", ttl_seconds=9)

    fcm, apns, web = (json.loads(payload(content, platform)) for platform in PushPlatform)

    assert fcm == {
        "notification": {"title": "Title", "body": "B", "image": "https://x.org/i.png"},
        "data": {"url": "https://x.org"},
    }
    assert apns["aps"] == {"alert": {"title": "Title", "body": "B"}, "badge": 3, "mutable-content": 1}
    assert (apns["url"], apns["image"]) == ("https://x.org", "https://x.org/i.png")
    assert web["tag"] == "k"


def write(bench: Workbench, settings: str, variables: str = "", sample: str = "") -> None:
    bench.write("note/template.toml", manifest(variables, sample, channels='"push"', more=f"[push]\n{settings}"))
    bench.write("note/push/title.txt", "Line one\nLine two")
    bench.write("note/push/body.txt", "Body")


def test_settings_of_a_notification_are_rendered(bench: Workbench) -> None:
    settings = 'action = "{{ url }}"\nimage = "{{ url }}.png"\ncollapse_key = "k-{{ url }}"\nbadge = 2\nttl = "2h"'
    write(bench, settings, 'url = {type = "url"}', 'url = "https://x.org/a"')

    content = bench.render(channel=Channel.PUSH)

    assert content == PushContent(
        title="Line one Line two",
        body="Body",
        locale="en",
        bytes=content.bytes,  # type: ignore[union-attr]
        action="https://x.org/a",
        image="https://x.org/a.png",
        badge=2,
        collapse_key="k-https://x.org/a",
        ttl_seconds=7200,
    )


def test_an_empty_action_is_none(bench: Workbench) -> None:
    write(bench, "action = \"{{ url|default('') }}\"", 'url = {type = "url", optional = true}')

    assert bench.render({}, channel=Channel.PUSH).action is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("action", "javascript:alert(1)", "no address to open"),
        ("action", "javascript://x%0aalert(1)", "no address to open"),
        ("action", "just words", "no address to open"),
        ("image", "ftp://x.org/i.png", "no http or https address"),
    ],
)
def test_an_address_that_could_do_harm_is_refused(bench: Workbench, setting: str, value: str, said: str) -> None:
    write(bench, f'{setting} = "{{{{ value }}}}"', 'value = {type = "string"}', 'value = "https://x.org"')

    with pytest.raises(RenderFailed, match=said):
        bench.render({"value": value}, channel=Channel.PUSH)


def test_an_apps_own_scheme_can_be_opened(bench: Workbench) -> None:
    write(bench, 'action = "myapp://orders/7"')

    assert bench.render({}, channel=Channel.PUSH).action == "myapp://orders/7"  # type: ignore[union-attr]
