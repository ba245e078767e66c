"""What a caller's data must be, and that every complaint names its field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.messages import MASK
from gateway.rendering.manifest import read_manifest
from gateway.rendering.variables import check_data, is_web_url, split_secrets
from tests.unit.rendering.workbench import Workbench, manifest

ALL = """
s = {type = "string", max_length = 5}
i = {type = "integer", optional = true}
n = {type = "number", optional = true}
b = {type = "boolean", optional = true}
d = {type = "date", optional = true}
at = {type = "datetime", optional = true}
m = {type = "money", optional = true}
u = {type = "url", optional = true, max_length = 30}
l = {type = "list", optional = true, max_length = 2, of = {name = "string", note = {type = "string", optional = true}}}
w = {type = "list", optional = true, of = "integer"}
any_list = {type = "list", optional = true}
o = {type = "object", optional = true, of = {name = "string"}}
any = {type = "object", optional = true}
secret = {type = "string", optional = true, secret = true}
"""


@pytest.fixture(scope="module")
def template() -> Any:
    class Declared:
        variables = read_manifest(manifest(ALL, 's = "x"').encode()).variables
        counts = frozenset({("n",), ("any_list", "*", "count"), ("any", "deep", "count"), ("s",)})

    return Declared()


@pytest.mark.parametrize(
    ("data", "pointer", "code"),
    [
        ({}, "/data/s", "missing"),
        ({"s": None}, "/data/s", "missing"),
        ({"s": 1}, "/data/s", "wrong_type"),
        ({"s": "123456"}, "/data/s", "too_long"),
        ({"s": "a\x00"}, "/data/s", "invalid_text"),
        ({"s": "\ud800"}, "/data/s", "invalid_text"),
        ({"s": "x", "x/y~": 1}, "/data/x~1y~0", "unknown_variable"),
        ({"s": "x", "i": "1"}, "/data/i", "wrong_type"),
        ({"s": "x", "i": 1.0}, "/data/i", "wrong_type"),
        ({"s": "x", "i": True}, "/data/i", "wrong_type"),
        ({"s": "x", "i": 2**53}, "/data/i", "out_of_range"),
        ({"s": "x", "n": "1e9"}, "/data/n", "wrong_type"),
        ({"s": "x", "n": float("nan")}, "/data/n", "out_of_range"),
        ({"s": "x", "n": 1e300}, "/data/n", "out_of_range"),
        ({"s": "x", "n": 1.5}, "/data/n", "not_an_integer"),
        ({"s": "x", "n": "1"}, "/data/n", "not_an_integer"),
        ({"s": "x", "n": True}, "/data/n", "wrong_type"),
        ({"s": "x", "b": 1}, "/data/b", "wrong_type"),
        ({"s": "x", "d": "2026-2-1"}, "/data/d", "wrong_type"),
        ({"s": "x", "d": "2026-02-30"}, "/data/d", "wrong_date"),
        ({"s": "x", "at": "2026-02-01T10:00:00"}, "/data/at", "wrong_type"),
        ({"s": "x", "at": "2026-02-30T10:00:00Z"}, "/data/at", "wrong_date"),
        ({"s": "x", "m": {"amount": 1.5, "currency": "EUR"}}, "/data/m", "wrong_amount"),
        ({"s": "x", "m": {"amount": "1e5", "currency": "EUR"}}, "/data/m", "wrong_amount"),
        ({"s": "x", "m": {"amount": "1", "currency": "QQQ"}}, "/data/m", "unknown_currency"),
        ({"s": "x", "m": {"amount": "1"}}, "/data/m", "wrong_type"),
        ({"s": "x", "m": "12 EUR"}, "/data/m", "wrong_type"),
        ({"s": "x", "u": 1}, "/data/u", "wrong_type"),
        ({"s": "x", "u": "https://x.org/" + "a" * 30}, "/data/u", "too_long"),
        ({"s": "x", "u": "javascript:alert(1)"}, "/data/u", "wrong_url"),
        ({"s": "x", "l": {}}, "/data/l", "wrong_type"),
        ({"s": "x", "l": [{"name": "a"}] * 3}, "/data/l", "too_long"),
        ({"s": "x", "l": [{"name": "a"}, {"name": 1}]}, "/data/l/1/name", "wrong_type"),
        ({"s": "x", "l": [{}]}, "/data/l/0/name", "missing"),
        ({"s": "x", "l": [{"name": "a", "more": 1}]}, "/data/l/0/more", "unknown_variable"),
        ({"s": "x", "l": ["a"]}, "/data/l/0", "wrong_type"),
        ({"s": "x", "w": [1, "2"]}, "/data/w/1", "wrong_type"),
        ({"s": "x", "o": {"nme": "a"}}, "/data/o/name", "missing"),
        ({"s": "x", "o": []}, "/data/o", "wrong_type"),
        ({"s": "x", "any": {"a": {"b": ["\x07"]}}}, "/data/any/a/b/0", "invalid_text"),
        ({"s": "x", "any": {"a": list(range(1001))}}, "/data/any/a", "too_long"),
        ({"s": "x", "any": {"a": 1e300}}, "/data/any/a", "out_of_range"),
        ({"s": "x", "any_list": [{"count": 1}, {"count": "2"}]}, "/data/any_list/1/count", "not_an_integer"),
        ({"s": "x", "any": {"deep": {"count": 1.5}}}, "/data/any/deep/count", "not_an_integer"),
    ],
)
def test_a_wrong_field_is_named(template: Any, data: dict[str, Any], pointer: str, code: str) -> None:
    problems = check_data(template, data)

    assert (pointer, code) in [(problem.pointer, problem.code) for problem in problems]


def test_deep_objects_are_refused(template: Any) -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = {"a": deep}

    assert [problem.code for problem in check_data(template, {"s": "x", "any": deep})][:1] == ["too_deep"]


def test_data_as_declared_has_no_problem(template: Any) -> None:
    template.counts = frozenset()
    data: dict[str, Any] = {
        "s": "x",
        "i": -5,
        "n": "12.5",
        "b": False,
        "d": "2026-12-01",
        "at": "2026-12-01T09:30:00.5+01:00",
        "m": {"amount": "-129.90", "currency": "CAD"},
        "u": "http://x.org:80/?a=1",
        "l": [{"name": "a", "note": None}],
        "w": [1, 2],
        "any_list": [1, 2.5, None, True, "x", [], {}],
        "o": {"name": "n"},
        "any": {"a": None},
        "secret": "s",
    }

    assert check_data(template, data) == []


def test_secrets_are_masked_in_what_is_kept(template: Any) -> None:
    public, secrets = split_secrets(template, {"s": "x", "secret": "4711", "other": 1})

    assert public == {"s": "x", "secret": MASK, "other": 1}
    assert secrets == {"secret": "4711"}


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//x.org",
        "x.org",
        "https://",
        "https:///path",
        "https://x.org/a b",
        'https://x.org/"onclick',
        "https://x.org/<script>",
        "https://x.org/\n",
        "https://x.org:port/",
        "https://[::1",
        " https://x.org",
        "ftp://x.org",
    ],
)
def test_only_whole_web_addresses_are_urls(url: str) -> None:
    assert not is_web_url(url)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_no_json_makes_the_check_fail_itself(value: Any) -> None:
    class Declared:
        variables = read_manifest(manifest(ALL, 's = "x"').encode()).variables
        counts = frozenset({("any", "a"), ("l", "*", "b")})

    for name in Declared.variables:
        check_data(Declared(), {"s": "x", name: value})


def test_an_unused_variable_is_asked_for_all_the_same(bench: Workbench) -> None:
    bench.sms("Hello", 'unused = {type = "string"}', 'unused = "x"')
    bench.load()
    template = bench.templates.snapshot.template("note")

    assert [problem.pointer for problem in check_data(template, {})] == ["/data/unused"]


def test_what_counts_is_known_from_the_text(bench: Workbench) -> None:
    body = (
        "{% trans count=n %}one{% pluralize %}many{% endtrans %}"
        "{% for item in items %}{% trans count=item.k %}one{% pluralize %}many{% endtrans %}{% endfor %}"
        "{% set alias = free.count %}{% trans count=alias %}one{% pluralize %}many{% endtrans %}"
        "{% trans count=recipient.points|default(0) %}one{% pluralize %}many{% endtrans %}"
    )
    variables = 'n = {type = "number"}\nitems = {type = "list"}\nfree = {type = "object"}'
    bench.sms(body, variables, "n = 1\nitems = []\nfree = {count = 1}")
    bench.load()

    assert bench.templates.snapshot.template("note").counts == {("n",), ("items", "*", "k"), ("free", "count")}
