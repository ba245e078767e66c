"""Links in HTML are found as a browser finds them, and what stands around them stays as it is."""

import html
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rendering.anchors import add_pixel, replace_targets, targets_of


class Oracle(HTMLParser):
    """The standard library's own reading: every start tag with its attributes, and everything else in its order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.read: list[object] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.read.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.read.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.read.append(data)

    def handle_comment(self, data: str) -> None:
        self.read.append(f"<!--{data}")

    def links(self) -> list[str]:
        tags = [one for one in self.read if isinstance(one, tuple) and one[0] in ("a", "area")]
        hrefs = [next((value for name, value in attrs if name == "href"), None) for _, attrs in tags]
        return [href for href in hrefs if href is not None]


_texts = st.text(st.sampled_from("ab <>&\"'=/é\n"), max_size=8)
_urls = st.builds("https://shop.example/{}".format, st.text(st.sampled_from("ab?&=;%é\"'<>"), max_size=8))


@st.composite
def _attributes(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(["href", "HREF", "title", "class", "data-href", "hreflang"]))
    value = draw(_urls if "href" in name.lower() else _texts)
    quote = draw(st.sampled_from("\"'"))
    around = draw(st.sampled_from(["", " "]))
    return f"{name}{around}={around}{quote}{html.escape(value)}{quote}"


_anchors = st.builds(
    "<{} {}>{}</a>".format,
    st.sampled_from(["a", "A", "area"]),
    st.lists(_attributes(), max_size=3).map(" ".join),
    _texts.map(html.escape),
)
_pieces = st.one_of(
    _anchors,
    _texts.map(html.escape),
    st.just('<!-- <a href="https://shop.example/no">no</a> -->'),
    st.just('<style>a[href="https://shop.example/no"] {}</style>'),
    st.just("<abbr title='<a href=x>'>x</abbr>"),
    st.just('<img src="https://shop.example/a.png">'),
)


@given(st.lists(_pieces, max_size=5).map("".join))
def test_every_link_is_found_that_a_parser_finds_and_nothing_else_is_changed(text: str) -> None:
    links = Oracle(text).links()

    changed = replace_targets(text, lambda target: f"https://gateway.example/?to={target}")

    assert targets_of(text) == set(links)
    assert Oracle(changed).links() == [f"https://gateway.example/?to={link}" for link in links]
    back = replace_targets(changed, lambda target: target.removeprefix("https://gateway.example/?to="))
    assert Oracle(back).read == Oracle(text).read
    assert replace_targets(text, lambda _: None) == text


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("<a href=https://a.example/x>a</a>", {"https://a.example/x"}),
        ('<a\nhref="https://a.example/?a=1&amp;b=2">a</a>', {"https://a.example/?a=1&b=2"}),
        ('<a title="a>b" href="https://a.example/">a</a>', {"https://a.example/"}),
        ("<a href='https://a.example/' href='https://b.example/'>a</a>", {"https://a.example/"}),
        ('<a href="https://a.example/" data-untracked>a</a>', set()),
        ('<a data-untracked="" href="https://a.example/">a</a>', set()),
        ('<abbr href="https://a.example/">a</abbr><article href="x">', set()),
        ('<!-- <a href="https://a.example/">', set()),
        ('<!--[if mso]><a href="https://a.example/">a</a><![endif]-->', set()),
        ("<a name=top>a</a><a href>b</a>", set()),
        ('<a href="https://a.example/" ' + "'" * 3000 + "<" * 3000, set()),
    ],
)
def test_odd_spellings_are_read_as_browsers_read_them(text: str, targets: set[str]) -> None:
    assert targets_of(text) == targets


def test_the_pixel_stands_at_the_end_of_the_body() -> None:
    image = '<img src="https://g.example/o/a?b&amp;c" width="1" height="1" alt="" style="display:block;border:0">'

    assert (
        add_pixel("<body><p>a</p></BODY ></html>", "https://g.example/o/a?b&c")
        == f"<body><p>a</p>{image}</BODY ></html>"
    )
    assert add_pixel("<p>a</p>", "https://g.example/o/a?b&c") == f"<p>a</p>{image}"
