"""HTML: what values, translations and layouts may do to it, and what inlining makes of it."""

import re

import pytest

from gateway.domain.recipients import Channel
from gateway.rendering.html import Cursor
from gateway.rendering.inlining import mark_language
from tests.unit.rendering.workbench import Workbench

NAME = 'name = {type = "string"}'
SAMPLE = 'name = "Amina"'


def test_values_are_escaped_in_html_and_only_there(bench: Workbench) -> None:
    bench.email("<p>{{ name }}</p>", NAME, SAMPLE, subject="{{ name }}", text="{{ name }}")

    hostile = "<script>alert('x')</script> & O'Brien"
    content = bench.render({"name": hostile}, channel=Channel.EMAIL)

    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; O&#39;Brien" in content.html  # type: ignore[union-attr]
    assert content.subject == content.text == hostile  # type: ignore[union-attr]


@pytest.mark.parametrize("place", ["<p>{}</p>", '<p title="{}">x</p>', "<title>{}</title>", "<!-- {} --><p>x</p>"])
def test_no_value_breaks_out_of_its_place(bench: Workbench, place: str) -> None:
    bench.email(place.format("{{ name }}"), NAME, SAMPLE)

    html = bench.html({"name": """--></title></p>"'><img src=x onerror=alert(1)>"""})

    assert "<img" not in html


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("<p {{ name }}>x</p>", "quoted attribute"),
        ("<p class={{ name }}>x</p>", "quoted attribute"),
        ("<style>p {color: {{ name }}}</style>", "no value can stand in <style>"),
        ('<p style="color: {{ name }}">x</p>', "attribute style"),
        ('<p onclick="{{ name }}">x</p>', "attribute onclick"),
        ('<a href="{{ name }}">x</a>', "must be a variable of type url"),
        ('<a onclick{% if name %}="x > {{ name }}"{% endif %}>x</a>', "written in one piece"),
        ("<script>x</script>", "<script> cannot be used"),
        ("<IFRAME src='https://x'></IFRAME>", "<iframe> cannot be used"),
        ('{% if name %}<p title="{% else %}<p>{% endif %}x', "must leave the same tags"),
        ('{% for x in name %}<p title="{% endfor %}x', "must leave the same tags"),
    ],
)
def test_a_value_where_it_could_do_harm_is_refused_at_publication(bench: Workbench, html: str, said: str) -> None:
    bench.email(html, NAME, SAMPLE)

    assert said in bench.problem()


@pytest.mark.parametrize(
    "html",
    [
        "<table>{% if name %}text{% endif %}<tr><td>{{ name }}</td></tr></table>",
        "<table>{{ name }}<tr>{% for x in [] %}{% endfor %}text<td>x</td></tr></table>".replace("[]", "names"),
        '<p title="{{ name }}">x</p><p title="a" title="{{ name }}">x</p>',
    ],
)
def test_what_html_would_move_or_drop_is_refused(bench: Workbench, html: str) -> None:
    bench.email(html, NAME + '\nnames = {type = "list"}', SAMPLE + "\nnames = []")

    assert "where HTML moves it" in bench.problem()


def test_links_take_checked_urls_and_what_follows_a_scheme(bench: Workbench) -> None:
    variables = 'url = {type = "url"}\nto = {type = "string"}\nitems = {type = "list", of = {url = "url"}}'
    html = (
        '<a href="{{ url }}">a</a><a href="mailto:{{ to }}">b</a><a href="{{ url|default(\'\') }}">c</a>'
        '{% for item in items %}<a href="{{ item.url }}">d</a>{% endfor %}<a href="{{ unsubscribe_url }}">e</a>'
    )
    bench.email(html, variables, 'url = "https://x.org/?a=1&b=2"\nto = "a@b.org"\nitems = [{url = "https://y.org"}]')

    shown = bench.html()

    assert shown.count('href="https://x.org/?a=1&amp;b=2"') == 2
    assert 'href="mailto:a@b.org"' in shown
    assert 'href="https://y.org"' in shown


def test_markup_of_a_translation_is_kept_and_its_values_are_escaped(bench: Workbench) -> None:
    bench.email("<p>{% trans %}Hi <b>{{ name }}</b>{% endtrans %}</p>", NAME, SAMPLE)
    bench.translate("de", {"Hi <b>%(name)s</b>": "Hallo <b>%(name)s</b>"})

    assert "Hallo <b>&lt;i&gt;</b>" in bench.html({"name": "<i>"}, "de")


def test_markup_of_a_string_in_an_expression_is_kept_too(bench: Workbench) -> None:
    settings = '{% set hello = _("Hi <b>%(name)s</b>", name=name) %}{% set plain = _("<i>x</i>") %}'
    bench.email(f"{settings}<p>{{{{ hello }}}}{{{{ plain }}}}</p>", NAME, SAMPLE)

    assert "Hi <b>&lt;u&gt;</b><i>x</i>" in bench.html({"name": "<u>"})


@pytest.mark.parametrize(
    "bad", ["Hallo <script>x</script><b>%(name)s</b>", "Hallo %(name)s", '<b onclick="x">%(name)s</b>']
)
def test_other_markup_than_the_sources_is_passed_over(bench: Workbench, bad: str) -> None:
    bench.email("<p>{% trans %}Hi <b>{{ name }}</b>{% endtrans %}</p>", NAME, SAMPLE)
    bench.translate("de", {"Hi <b>%(name)s</b>": bad})

    assert "Hi <b>Amina</b>" in bench.html(None, "de")


def test_quotes_of_a_translation_do_not_end_an_attribute(bench: Workbench) -> None:
    bench.email("""<img alt="{{ _('Say "hi"') }}" src="https://x.org/i.png">""")
    bench.translate("de", {'Say "hi"': 'Sag "hallo"'})

    assert 'alt="Sag &quot;hallo&quot;"' in bench.html({}, "de")


def test_css_is_inlined_and_media_queries_stay(bench: Workbench) -> None:
    css = "<style>p { color: red; } @media (max-width: 480px) { p { color: blue !important; } }</style>"
    bench.email(
        f"<html><head>{css}<meta charset='utf-8'></head><body><p>{{{{ name }}}}</p></body></html>", NAME, SAMPLE
    )

    html = bench.html()

    assert '<p style="color: red;">Amina</p>' in html
    assert html.index("charset") < html.index("@media (max-width: 480px)")


def test_conditions_and_loops_keep_their_places_through_inlining(bench: Workbench) -> None:
    html = (
        "<style>b {color: red}</style><table>{% for item in items %}<tr><td>{% if item.name == 'a' %}<b>A</b>{% elif "
        "item.name == 'b' %}B{% else %}?{% endif %}</td></tr>{% else %}<tr><td>none</td></tr>{% endfor %}</table>"
    )
    bench.email(html, 'items = {type = "list", of = {name = "string"}}', "items = []")

    shown = bench.html({"items": [{"name": letter} for letter in "abc"]})

    assert re.findall(r"<td>(.*?)</td>", shown) == ['<b style="color: red;">A</b>', "B", "?"]
    assert "none" in bench.html({"items": []})


def test_language_and_direction_stand_on_html_and_on_one_wrapping_div(bench: Workbench) -> None:
    bench.email('<html lang="xx" dir="ltr"><body><p>{% trans %}Hello{% endtrans %}</p></body></html>')
    bench.translate("ar", {"Hello": "مرحبا"})

    html = bench.html({}, "ar-EG")

    assert '<html lang="ar" dir="rtl">' in html
    assert '<body><div lang="ar" dir="rtl"><p>مرحبا</p></div></body>' in html


def test_a_fallen_back_message_says_the_language_that_it_is_in(bench: Workbench) -> None:
    bench.email("<p>{% trans %}Hello{% endtrans %}</p>")
    bench.translate("ar", {})

    html = bench.html({}, "ar")

    assert html.startswith('<!DOCTYPE html><html lang="en" dir="ltr">')


@pytest.mark.parametrize(
    ("body", "wrapped"),
    [
        ('<div class="page"><div>x</div></div>', '<div class="page" lang="ar" dir="rtl"><div>x</div></div>'),
        ('<!-- <div> --> <div lang="en" DIR=ltr>x</div>', '<!-- <div> --> <div lang="ar" dir="rtl">x</div>'),
        ("<div>x</div><div>y</div>", '<div lang="ar" dir="rtl"><div>x</div><div>y</div></div>'),
        ("text <div>x</div>", '<div lang="ar" dir="rtl">text <div>x</div></div>'),
        ("<div>never closed", '<div lang="ar" dir="rtl"><div>never closed</div>'),
        ("<p>x</p>", '<div lang="ar" dir="rtl"><p>x</p></div>'),
    ],
)
def test_a_div_that_wraps_everything_is_marked_and_no_second_one_added(body: str, wrapped: str) -> None:
    document = mark_language(f"<html><body>{body}</body></html>", "ar", "rtl")

    assert document == f'<!DOCTYPE html><html lang="ar" dir="rtl"><body>{wrapped}</body></html>'


def test_a_document_without_body_is_left_without_a_div() -> None:
    assert mark_language("<html></html>", "en", "ltr") == '<!DOCTYPE html><html lang="en" dir="ltr"></html>'


def test_layouts_are_extended_two_levels_deep_and_included(bench: Workbench) -> None:
    bench.write(
        "_layouts/base.html", "<div>{% block content %}base{% endblock %}|{% block footer %}foot{% endblock %}</div>"
    )
    bench.write(
        "_layouts/middle.html",
        "{% extends '_layouts/base.html' %}{% block footer %}{% include '_layouts/brand.txt' %}{% endblock %}",
    )
    bench.write("_layouts/brand.txt", "Brand & {{ preferences_url }}")
    bench.email(
        "{% extends '_layouts/middle.html' %}{% set who = name %}{% block content %}{{ who }}{% endblock %}",
        NAME,
        SAMPLE,
    )

    assert ">Amina|Brand &amp; https://example.org/u/token</div>" in bench.html()


def test_the_layout_gets_subject_and_preheader_as_rendered(bench: Workbench) -> None:
    html = "<title>{{ subject|default('') }}</title><p>{{ preheader|default('') }}</p>"
    bench.email(html, NAME, SAMPLE, subject="{% trans %}For {{ name }}{% endtrans %}")
    bench.write("note/email/preheader.txt", "{{ name }} & <co>")
    bench.translate("ar", {"For %(name)s": "إلى %(name)s"})

    shown = bench.html({"name": "<A>"}, "ar")

    assert "<title>إلى \u2068&lt;A&gt;\u2069</title>" in shown
    assert "\u2068&lt;A&gt;\u2069 &amp; &lt;co&gt;" in shown


def test_the_text_is_made_from_the_html_where_none_was_written(bench: Workbench) -> None:
    html = '<div style="display:none">hidden</div><h1>{{ name }}</h1><p>One</p><a href="https://x.org">Link</a>'
    bench.email(html, NAME, SAMPLE, text=None)

    content = bench.render(channel=Channel.EMAIL)

    assert "Amina" in content.text  # type: ignore[union-attr]
    assert "https://x.org" in content.text  # type: ignore[union-attr]
    assert "hidden" not in content.text  # type: ignore[union-attr]


def test_the_cursor_knows_where_it_stands() -> None:
    cursor = Cursor()
    pieces = ["<p a", "='x", "'><!-- ", "--><title>", "x</ti", "</title>", "<!DOCTYPE html", "><b x=1 /", "> 1 < 2 "]
    seen = []

    for piece in pieces:
        cursor.feed(piece, "part")
        seen.append(cursor.where.value)

    assert seen == ["tag", "attribute", "comment", "title", "title", "text", "tag", "tag", "text"]
