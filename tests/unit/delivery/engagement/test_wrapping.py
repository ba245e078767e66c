"""Links that tell of clicks: only the gateway can make one, each leads where it led, and those of choice are left."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.dispatching.links import UnsubscribeLinks
from gateway.delivery.engagement.desk import with_parameter
from gateway.delivery.engagement.links import EngagementLinks
from gateway.delivery.engagement.wrapping import Wrapper
from gateway.domain.ids import DeliveryId
from gateway.domain.messages import Content, EmailContent, PushContent, SmsContent
from gateway.domain.preferences import Category
from gateway.domain.values import replace
from gateway.rendering.anchors import targets_of

DELIVERY = DeliveryId("dlv_01hzx")
LINKS = EngagementLinks(b"a secret of the gateway", "https://mail.example/")
OTHERS = EngagementLinks(b"another secret", "https://mail.example/")
BOTH = Wrapper(LINKS, opens=[Category.MARKETING], clicks=[Category.MARKETING])


def email(*targets: str, text: str = "https://shop.example/a") -> EmailContent:
    anchors = "".join(f'<p><a href="{target}">link</a></p>' for target in targets)
    html = f"<html><body>{anchors}</body></html>"
    return EmailContent(
        subject="s", preheader="", html=html, text=text, locale="en", headers=(("List-Unsubscribe", "<x>"),)
    )


def wrapped(content: Content, category: Category = Category.MARKETING, wrapper: Wrapper = BOTH) -> Content:
    sent, shown = wrapper.wrap(content, content, category, DELIVERY)
    assert sent is shown
    return sent


def led(content: Content) -> set[tuple[str, str] | None]:
    """What the tokens of an e-mail's links carry."""
    assert isinstance(content, EmailContent)
    tokens = [urlsplit(target).path.removeprefix("/c/") for target in targets_of(content.html) if "/c/" in target]
    return {LINKS.read_click(token) for token in tokens}


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60))
def test_a_token_carries_the_whole_target_and_only_as_it_was_made(rest: str) -> None:
    target = f"https://shop.example/{rest}"
    token = LINKS.click_url(DELIVERY, target).removeprefix("https://mail.example/c/")

    assert LINKS.read_click(token) == (DELIVERY, target)
    assert OTHERS.read_click(token) is None
    assert LINKS.read_open(token) is None


@given(st.data())
def test_a_token_that_was_changed_anywhere_is_not_ours(data: st.DataObject) -> None:
    links = (LINKS.click_url(DELIVERY, "https://shop.example/a?b=1"), LINKS.open_url(DELIVERY))
    token = data.draw(st.sampled_from(links)).rpartition("/")[2]
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda char: char != token[at]))
    for changed in (token[:at] + other + token[at + 1 :], token[:at], token + other, f"{other}{token}"):
        assert LINKS.read_click(changed) is None
        assert LINKS.read_open(changed) is None


def test_every_token_is_of_one_purpose_and_of_one_delivery() -> None:
    unsubscribe = UnsubscribeLinks(b"a secret of the gateway", "https://mail.example").token(DELIVERY)
    opened = LINKS.open_url(DELIVERY).rpartition("/")[2]

    assert LINKS.read_open(unsubscribe) is None
    assert LINKS.read_click(unsubscribe) is None
    assert LINKS.read_click(opened) is None
    assert LINKS.read_open(opened) == DELIVERY


def test_links_and_a_pixel_are_put_in_and_all_else_stays() -> None:
    given = email("https://shop.example/a?x=1&amp;y=2", "HTTP://Shop.example/B")

    sent = wrapped(given)

    assert isinstance(sent, EmailContent)
    assert led(sent) == {(DELIVERY, "https://shop.example/a?x=1&y=2"), (DELIVERY, "HTTP://Shop.example/B")}
    assert sent.html.count(LINKS.open_url(DELIVERY)) == 1
    assert replace(sent, html=given.html) == given


@pytest.mark.parametrize(
    "target",
    [
        "https://mail.example/u/dlv_1.abc",
        "https://mail.example/u/dlv_1.abc?lang=fr",
        "mailto:amina@example.org",
        "tel:+33612345678",
        "#top",
        "/relative",
        "javascript:alert(1)",
        "https:///no-host",
        "https://[half",
        "https://sho\np.example/",
        "https://bücher.example/",
        "https://shop.example/" + "a" * 2_000,
    ],
)
def test_what_is_no_address_of_the_web_or_is_a_page_of_choice_stays_as_it_is(target: str) -> None:
    content = email(target)

    assert wrapped(content, wrapper=Wrapper(LINKS, opens=[], clicks=[*Category])) == content


def test_what_is_not_ascii_is_encoded_and_what_is_encoded_stays_so() -> None:
    assert led(wrapped(email(" https://shop.example/é%C3%A9/a b?q=%2F+ "))) == {
        (DELIVERY, "https://shop.example/%C3%A9%C3%A9/a%20b?q=%2F+")
    }


def test_only_links_to_named_hosts_and_those_below_them_lead_through_us() -> None:
    wrapper = Wrapper(LINKS, opens=[], clicks=[*Category], hosts=["Shop.example"])
    content = email(
        "https://shop.example/a", "https://www.shop.example/b", "https://notshop.example/", "https://x.example/"
    )

    assert {read[1] for read in led(wrapped(content, wrapper=wrapper)) if read} == {
        "https://shop.example/a",
        "https://www.shop.example/b",
    }


@pytest.mark.parametrize("category", [Category.CRITICAL, Category.TRANSACTIONAL])
def test_a_category_that_is_not_named_gets_back_the_very_content(category: Category) -> None:
    content = email("https://shop.example/a")

    assert wrapped(content, category) is content


@pytest.mark.parametrize(
    "content",
    [
        SmsContent(text="https://shop.example/a", encoding="gsm-7", units=1, segments=1, locale="en"),
        PushContent(title="t", body="b", locale="en", bytes=1, action="https://shop.example/a"),
        replace(email(), html=""),
    ],
    ids=["text message", "notification", "e-mail without HTML"],
)
def test_what_has_no_html_stays_as_it_is(content: Content) -> None:
    assert wrapped(content) == content


def test_a_link_with_a_secret_in_it_stays_out_of_every_token() -> None:
    sent, shown = (
        email(f"https://shop.example/?code={code}", "https://shop.example/plain") for code in ("4711", "••••")
    )

    sent_wrapped, shown_wrapped = BOTH.wrap(sent, shown, Category.MARKETING, DELIVERY)

    assert isinstance(sent_wrapped, EmailContent)
    assert isinstance(shown_wrapped, EmailContent)
    assert led(sent_wrapped) == led(shown_wrapped) == {(DELIVERY, "https://shop.example/plain")}
    assert "code=4711" in sent_wrapped.html
    assert "4711" not in shown_wrapped.html


@pytest.mark.parametrize(
    ("target", "led_to"),
    [
        ("https://shop.example", "https://shop.example?via=dlv_1"),
        ("https://shop.example/?a=1#top", "https://shop.example/?a=1&via=dlv_1#top"),
        ("https://shop.example/?#", "https://shop.example/?via=dlv_1#"),
        ("https://shop.example/?a=1&", "https://shop.example/?a=1&via=dlv_1"),
    ],
)
def test_a_target_is_told_the_delivery_in_its_query(target: str, led_to: str) -> None:
    assert with_parameter(target, "via", "dlv_1") == led_to
