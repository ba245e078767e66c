"""Right-to-left text: what a value brings never reorders what stands around it."""

import pytest

from gateway.domain.recipients import Channel
from gateway.rendering import bidi
from tests.unit.rendering.workbench import Workbench, manifest

FSI, PDI, RLO = "\u2068", "\u2069", "\u202e"


def test_values_in_right_to_left_text_stand_in_isolates(bench: Workbench) -> None:
    body = "{% trans %}Call {{ phone }}{% endtrans %} {{ name }} {{ n|number }}"
    variables = 'phone = {type = "string"}\nname = {type = "string"}\nn = {type = "integer"}'
    bench.sms(body, variables, 'phone = "+44 20"\nname = "Bob!"\nn = 7')
    bench.translate("ar", {"Call %(phone)s": "اتصل على %(phone)s"})

    assert bench.text(None, "ar") == f"اتصل على {FSI}+44 20{PDI} {FSI}Bob!{PDI} {FSI}7{PDI}"
    assert bench.text(None, "en") == "Call +44 20 Bob! 7"


def test_a_link_alone_on_its_line_stays_free_for_phones_that_link_it(bench: Workbench) -> None:
    body = "{% trans %}Hello{% endtrans %}\n{{ url }}\n{% trans %}See {{ url }}{% endtrans %}"
    bench.sms(body, 'url = {type = "url"}', 'url = "https://x.org/a"')
    bench.translate("he", {"Hello": "שלום", "See %(url)s": "ראו %(url)s"})

    assert bench.text(None, "he") == f"שלום\nhttps://x.org/a\nראו {FSI}https://x.org/a{PDI}"


def test_values_in_right_to_left_html_stand_in_bdi_where_it_may_stand(bench: Workbench) -> None:
    html = (
        '<p title="{{ name }}">{% trans %}Hi {{ name }}{% endtrans %}</p><bdi>{{ name }}</bdi><i>{{ name }}</i>'
        "<b>{{ opt|default('') }}</b>"
    )
    variables = 'name = {type = "string"}\nopt = {type = "string", optional = true}'
    bench.email(html, variables, 'name = "Bob"', subject="{{ name }}")
    bench.translate("ar", {"Hi %(name)s": "أهلا %(name)s"})

    shown = bench.html(None, "ar")

    expected = '<p title="Bob">أهلا <bdi>Bob</bdi></p><bdi>Bob</bdi><i><bdi>Bob</bdi></i><b></b>'
    assert expected in shown


def test_overrides_in_values_are_taken_out(bench: Workbench) -> None:
    bench.email("<p>{{ name }}</p>", 'name = {type = "string"}', 'name = "N"', subject="{{ name }}", text="{{ name }}")

    content = bench.render({"name": f"a{RLO}b\u2066c\u200fd"}, channel=Channel.EMAIL)

    assert content.subject == content.text == "abc\u200fd"  # type: ignore[union-attr]
    assert "<p>abc\u200fd</p>" in content.html  # type: ignore[union-attr]


def test_links_and_keys_of_a_notification_are_not_isolated(bench: Workbench) -> None:
    more = "[push]\naction = '{{ url }}'"
    bench.write(
        "note/template.toml", manifest('url = {type = "url"}', 'url = "https://x.org"', channels='"push"', more=more)
    )
    bench.write("note/push/title.txt", "{% trans %}Hello{% endtrans %}")
    bench.write("note/push/body.txt", "{{ url }}, {{ url }}")
    bench.translate("ar", {"Hello": "مرحبا"})

    content = bench.render(None, "ar", channel=Channel.PUSH)

    assert content.action == "https://x.org"  # type: ignore[union-attr]
    assert content.body == f"{FSI}https://x.org{PDI}, {FSI}https://x.org{PDI}"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "balanced"),
    [
        ("plain", True),
        (f"{FSI}x{PDI}", True),
        (f"{RLO}x\u202c", True),
        (f"{FSI}{RLO}x\u202c{PDI}", True),
        (f"{FSI}x", False),
        (f"x{PDI}", False),
        (f"{FSI}{RLO}x{PDI}\u202c", False),
        (RLO, False),
    ],
)
def test_directions_must_be_closed_in_order(text: str, balanced: bool) -> None:
    assert bidi.is_balanced(text) is balanced


def test_open_isolates_are_closed_and_stray_ends_are_not_counted() -> None:
    assert bidi.close_isolates(f"{PDI}a{FSI}b\u2067c{PDI}{RLO}") == f"{PDI}a{FSI}b\u2067c{PDI}{RLO}{PDI}"


def test_nothing_is_put_around_nothing() -> None:
    assert bidi.isolate("") == ""
