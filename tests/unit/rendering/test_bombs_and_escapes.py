"""Hostile templates, translations and values: refused with a clear problem or delivered exactly, in bounded time."""

import resource
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from gateway.errors import RenderFailed
from gateway.rendering.compiling import CompiledPart
from gateway.rendering.environment import make_environment
from gateway.rendering.html import Cursor
from tests.unit.rendering.workbench import Workbench

ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ ''['__class__'] }}",
    "{{ name|attr('format') }}",
    "{% set f = '{0.__class__}'.format %}{{ f(1) }}",
    "{{ '{0.__class__}'.format_map({'0': 1}) }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ self.__init__ }}",
    "{{ lipsum() }}",
    "{{ range(9) }}",
    "{{ namespace() }}",
    "{{ joiner() }}",
    "{{ name.upper() }}",
    "{{ name.__len__ }}",
    "{{ _self }}",
    "{{ loop.__class__ }}",
    "{{ recipient._private }}",
    "{{ recipient['_private'] }}",
    "{{ recipient[name] }}",
    "{% import '_layouts/x.txt' as x %}",
    "{% from '_layouts/x.txt' import x %}",
    "{% include name %}",
    "{% include '/etc/passwd' %}",
    "{% include '../../etc/passwd' %}",
    "{% include ['_layouts/x.txt'] %}",
    "{% include '_layouts/../note/sms/body.txt' %}",
    "{% extends name %}",
    "{% extends 'note/sms/body.txt' %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}",
    "{% call m() %}{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% set x %}text{% endset %}",
    "{% set x, y = 1, 2 %}",
    "{% set ns.x = 1 %}",
    "{% with x = 1 %}{% endwith %}",
    "{% autoescape false %}{{ name }}{% endautoescape %}",
    "{% for k, v in recipient %}{% endfor %}",
    "{% for x in items recursive %}{{ loop(x) }}{% endfor %}",
    "{% for x in [1, 2] %}{% endfor %}",
    "{{ name|safe }}",
    "{{ name|format(1) }}",
    "{{ name|map('upper') }}",
    "{{ name|xmlattr }}",
    "{{ name|default(x=1) }}",
    "{{ name|date(name) }}",
    "{{ name|unit }}",
    "{{ name|upper(1) }}",
    "{{ name is even }}",
    "{{ name is callable }}",
    "{{ 1 ~ name }}",
    "{{ 2 ** 9 }}",
    "{{ 'a' * 9 }}",
    "{{ '%s' % name }}",
    "{{ 1 + 1 }}",
    "{{ 3 - 1 }}",
    "{{ 3 / 1 }}",
    "{{ 3 // 1 }}",
    "{{ name[0:1] }}",
    "{{ {'a': 1} }}",
    "{{ gettext(name) }}",
    "{{ gettext('a', 'b') }}",
    "{{ gettext(*items) }}",
    "{{ print('x') }}",
    "{{ super() }}",
    "{% block x required %}{% endblock %}",
    "{% if true %}{% extends '_layouts/x.txt' %}{% endif %}",
    "{{ undeclared }}",
    "{{ locale.script }}",
    "{{ missing",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_what_could_reach_python_is_refused_before_it_runs(bench: Workbench, source: str) -> None:
    variables = 'name = {type = "string"}\nitems = {type = "list"}'
    bench.write("_layouts/x.txt", "layout")
    bench.sms(f"Text {source}", variables, 'name = "N"\nitems = []')

    problem = bench.problem()

    assert problem.startswith("sms/body.txt:1:") or "sms/body.txt" in problem


@pytest.mark.parametrize(
    "source",
    [
        '{{ "a" * 100000000 }}',
        '{{ "%0100000000d"|format(1) }}',
        "{{ x|center(100000000) }}",
        "{{ items|batch(1000000000) }}",
        "{{ not " * 500 + "x }}",
        "{% if x %}" * 60 + "{% endif %}" * 60,
        "{% for a in items %}" * 9 + "{% endfor %}" * 9,
        "{{ x }}" * 9_000,
        "x" * 300_000,
        "{{ x|default(" + "9" * 5_000 + ") }}",
        "{% trans %}" + "%" * 30_000 + "{% endtrans %}",
        "\ue000",
        "{{ (" * 4_000,
        "{% include '_layouts/self.txt' %}",
        "{% include '_layouts/wide.txt' %}" * 300,
    ],
    ids=lambda source: source[:24],
)
def test_a_template_bomb_is_refused_within_two_seconds(bench: Workbench, source: str) -> None:
    bench.write("_layouts/self.txt", "{% include '_layouts/self.txt' %}")
    bench.write("_layouts/wide.txt", "{{ x }}" * 500)
    bench.sms(source, 'x = {type = "string"}\nitems = {type = "list"}', 'x = "x"\nitems = []')
    started = time.process_time()

    problem = bench.problem()

    assert problem
    assert time.process_time() - started < 2


def _calls(work: Callable[[], object]) -> int:
    """How many functions the work calls, Python's own included: a measure of cost that no machine's load changes."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def test_a_part_of_many_values_costs_no_more_for_each_than_one_of_few() -> None:
    environment = make_environment(escapes=False)

    def calls(values: int) -> int:
        body = environment.parse("{{ x }} and ").body * values
        return _calls(lambda: CompiledPart(environment, body, (), "sms/body.txt"))

    few, many = calls(100), calls(1_000)

    assert many < 11 * few


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("<div>" * 30_000, "opens more than"),
        ("<p>" + "<font a=1>" * 5_000, "opens more than"),
        ("<a " * 1_400 + "x" * 190_000, "ends inside a tag"),
        ("<p>{{ x }}</p><!-- never closed", "ends inside a tag, comment"),
        ("<style>" + "".join(f"div{{--a{n}:1}}" for n in range(5_000)) + "</style>" + "<div>" * 1_400, "CSS rules"),
    ],
    ids=["depth", "formatting", "tag", "comment", "rules"],
)
def test_an_html_bomb_is_refused_before_the_css_is_inlined(bench: Workbench, html: str, said: str) -> None:
    bench.email("<p>{{ x }}</p>" + html, 'x = {type = "string"}', 'x = "x"')
    started = time.process_time()

    problem = bench.problem()

    assert said in problem
    assert time.process_time() - started < 2


@pytest.mark.parametrize("blanks", [" " * 180_000, " x" * 90_000, "/" * 180_000], ids=["blanks", "names", "slashes"])
def test_what_stands_in_a_tag_is_read_in_linear_time(blanks: str) -> None:
    started = time.process_time()

    Cursor().feed(f"<a {blanks}>", "email/body.html")

    assert time.process_time() - started < 2


def test_blanks_inside_trans_are_trimmed_in_linear_time(bench: Workbench) -> None:
    bench.sms("{% trans %}a" + " \t" * 90_000 + "b{% endtrans %}")
    started = time.process_time()

    problem = bench.problem()

    assert "is longer than" in problem
    assert len(problem) < 1_000
    assert time.process_time() - started < 2


@given(text=st.text(" \n\t\r\x0b\x1c\x85\u2028\xa0ab"))
def test_trans_is_trimmed_as_jinja_trims_it(text: str) -> None:
    extension = "jinja2.ext.InternationalizationExtension"
    theirs = Environment(extensions=[extension]).extensions[extension]
    (ours,) = make_environment(escapes=False).extensions.values()

    trimmed, expected = (one._trim_whitespace(text) for one in (ours, theirs))  # type: ignore[attr-defined]

    assert trimmed == expected


BOMBS = [
    "{% for a in items %}{% for b in items %}{% for c in items %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in items %}{% for b in items %}{% if a == b %}{% endif %}{% endfor %}{% endfor %}Text",
    "{% for a in items %}" + "{{ text|upper|lower|trim }}" * 20 + "{% endfor %}Text",
    "{% for a in items %}{{ text }}{% endfor %}",
    "{{ text" + "|forceescape" * 30 + " }}",
    "{% for a in items %}{{ items|join(',') }}{% endfor %}",
    "{% for a in items %}{% for b in items %}{{ n|number }}{% endfor %}{% endfor %}",
    "{% for a in items %}{% if text|lower == text|upper %}{% endif %}{% endfor %}Text",
    "{% for a in items %}{% if a in items %}{% endif %}" * 1
    + "{% for b in items %}{% if b in items %}{% endif %}{% endfor %}{% endfor %}T",
]


@pytest.mark.parametrize("source", BOMBS, ids=lambda source: source[:60])
def test_a_bomb_that_needs_data_ends_within_two_seconds_and_200_megabytes(bench: Workbench, source: str) -> None:
    variables = 'text = {type = "string"}\nitems = {type = "list", of = "string"}\nn = {type = "integer"}'
    bench.sms(f"{source}.", variables, 'text = "t"\nitems = ["i"]\nn = 1')
    data = {"text": "&" * 10_000, "items": ["&" * 1_000] * 1_000, "n": 7}
    bench.load()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()

    with pytest.raises(RenderFailed):
        bench.text(data)

    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@pytest.mark.parametrize(
    "bomb",
    ["%(name)900000000s", "%(name)s" * 2_000, "x" * 400_000 + "%(name)s", "%(name).999999999f"],
    ids=["width", "repetition", "length", "precision"],
)
def test_a_translation_bomb_is_passed_over(bench: Workbench, bomb: str) -> None:
    bench.sms("{% trans %}Hi {{ name }}{% endtrans %}", 'name = {type = "string"}', 'name = "Amina"')
    bench.translate("fr", {"Hi %(name)s": bomb})
    started = time.process_time()

    shown = bench.text({"name": "N" * 10_000}, "fr")

    assert shown == "Hi " + "N" * 10_000
    assert time.process_time() - started < 2


def test_extends_that_never_end_are_refused(bench: Workbench) -> None:
    bench.write("_layouts/a.txt", "{% extends '_layouts/b.txt' %}")
    bench.write("_layouts/b.txt", "{% extends '_layouts/a.txt' %}")
    bench.sms("{% extends '_layouts/a.txt' %}")

    assert "levels deep" in bench.problem()


def test_extending_twice_is_refused(bench: Workbench) -> None:
    bench.write("_layouts/a.txt", "a")
    bench.sms("{% extends '_layouts/a.txt' %}{% extends '_layouts/a.txt' %}")

    assert "extends twice" in bench.problem()


@pytest.mark.parametrize(
    ("body", "data", "said"),
    [
        ("{% for x in thing %}{{ x }}{% endfor %}T", "text", "only a list"),
        ("{{ thing|join(', ') }}", {"a": 1}, "only a list can be joined"),
        ("{{ thing|length|number }}", 7, "have a length"),
        ("{{ thing|first }}", [], "empty"),
        ("{{ thing.a }}", {"a": {"b": 1}}, "an object has no text"),
        ("{{ thing.a }}", {"a": [1]}, "a list has no text"),
        ("{{ thing.a }}", {"a": True}, "true or false has no text"),
        ("{{ thing.a }}", {"a": None}, "no attribute"),
        ("{{ thing.b }}", {"a": 1}, "no attribute"),
        ("{{ thing.a.b }}", {"a": 1}, "no attribute"),
        ("{{ thing['b'] }}", {"a": 1}, "no attribute"),
        ("{{ thing.missing|money }}", {"a": 1}, "no attribute"),
        ("{{ thing.missing|length }}", {"a": 1}, "no attribute"),
        ("{{ thing.missing|join }}", {"a": 1}, "no attribute"),
        ("{{ thing.missing|first }}", {"a": 1}, "no attribute"),
        ("{% for x in thing.missing %}{% endfor %}", {"a": 1}, "no attribute"),
        ("{{ none }}", {}, "no value has no text"),
        ("{{ true }}", {}, "true or false has no text"),
        ("{{ thing|money }}", {"amount": "x", "currency": "EUR"}, None),
        ("{{ thing|money }}", {"amount": "1", "currency": "QQQ"}, None),
        ("{{ thing|date }}", "tomorrow", None),
        ("{% if thing == 1 %}{% endif %}T", {"a": 1}, "cannot be compared"),
        ("{% if thing.a < 1 %}{% endif %}T", {"a": "x"}, None),
        ("{% trans count=thing.a %}one{% pluralize %}many{% endtrans %}", {"a": 1.5}, "takes an integer"),
        ("{% trans count=thing.a %}one{% pluralize %}many{% endtrans %}", {"a": True}, "takes an integer"),
    ],
)
def test_data_of_another_shape_fails_clearly(bench: Workbench, body: str, data: object, said: str | None) -> None:
    guarded = f"{{% if show %}}{body}{{% else %}}Text{{% endif %}}"
    bench.sms(guarded, 'thing = {type = "object"}\nshow = {type = "boolean"}', "thing = {}\nshow = false")

    with pytest.raises(RenderFailed, match=said):
        bench.text({"thing": data, "show": True})


def test_what_is_allowed_works(bench: Workbench) -> None:
    body = (
        "{% for item in items if item.name != 'skip' %}{{ loop.index }}/{{ item['name']|upper }}"
        "{% if not loop.last %}, {% endif %}{% else %}none{% endfor %} "
        "{{ tags|join('+') }} {{ tags|first }} {{ tags|last|lower|trim }} {{ name|default('nobody') }} "
        "{{ 'yes' if items|length > 1 and 'A' in tags else 'no' }} {{ n }} {{ f }} {{ name|e }}{{ name|forceescape }}"
    )
    variables = (
        'items = {type = "list", of = {name = "string"}}\ntags = {type = "list", of = "string"}\n'
        'name = {type = "string"}\nn = {type = "integer"}\nf = {type = "number"}'
    )
    sample = 'items = [{name = "a"}, {name = "skip"}, {name = "b"}]\ntags = ["A", "B "]\nname = "N"\nn = 7\nf = 1.5'
    bench.sms(body, variables, sample)

    assert bench.text() == "1/A, 2/B A+B  A b N yes 7 1.5 NN"
