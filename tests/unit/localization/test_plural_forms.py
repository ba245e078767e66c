"""Plural headers: parsed safely, derived from CLDR, held against it."""

import gettext

import pytest
from babel import localedata
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CatalogBroken
from gateway.localization.locales import parse_locale
from gateway.localization.plurals import (
    CHECKED_COUNTS,
    categories,
    cldr_header,
    compare_with_cldr,
    counts_of_form,
    form_of,
    parse_plural_forms,
    plural_rule_of,
)
from tests.po_texts import HEADERS
from tests.stopwatch import cpu_seconds

ALL_NAMES = sorted(name for name in localedata.locale_identifiers() if name != "root")


def chosen(tag: str, counts: list[int]) -> list[str]:
    locale = parse_locale(tag)
    forms = parse_plural_forms(cldr_header(locale))
    return [categories(locale)[form_of(forms, count)] for count in counts]


@pytest.mark.parametrize(
    ("tag", "counts", "expected"),
    [
        pytest.param("ru", [1, 2, 5, 11, 21, 111], "one few many many one many", id="1 Russian"),
        pytest.param("ar", [0, 1, 2, 3, 11, 100, 102, 103], "zero one two few many other other few", id="2 Arabic"),
        pytest.param("ja", [0, 1, 2], "other other other", id="3 Japanese has one form"),
        pytest.param("fr", [0, 1, 2], "one one other", id="4 French zero is one"),
        pytest.param("pt", [0, 1, 2], "one one other", id="4 Brazilian zero is one"),
        pytest.param("pt-PT", [0, 1, 2], "other one other", id="4 European Portuguese zero is not"),
        pytest.param("hi", [0, 1, 2], "one one other", id="4 Hindi zero is one"),
        pytest.param("cy", [0, 1, 2, 3, 4, 6], "zero one two few other many", id="5 Welsh tells 4 from 0"),
        pytest.param("he", [1, 2, 3], "one two other", id="Hebrew has a dual"),
        pytest.param("fil", [1, 4, 5, 6], "one other one other", id="Filipino"),
    ],
)
def test_the_form_is_the_one_that_cldr_names(tag: str, counts: list[int], expected: str) -> None:
    assert chosen(tag, counts) == expected.split()


def test_the_header_of_every_cldr_locale_agrees_with_its_plural_rule_from_0_to_1000() -> None:
    rules: dict[tuple[str, str], tuple[str, ...]] = {}
    for name in ALL_NAMES:
        locale = parse_locale(name)
        key = (locale.language, str(locale.plural_form.rules))
        assert plural_rule_of(locale).rules == locale.plural_form.rules, "it is read on its own"
        if key in rules:
            continue
        header, names = cldr_header(locale), categories(locale)
        rules[key] = names
        forms = parse_plural_forms(header)

        assert forms.count == len(names)
        assert [names[form_of(forms, n)] for n in CHECKED_COUNTS] == [locale.plural_form(n) for n in CHECKED_COUNTS]
        assert compare_with_cldr(forms, locale) is None


@pytest.mark.parametrize(
    "header", sorted(set(HEADERS.values())) + [cldr_header(parse_locale(tag)) for tag in ("kw", "fil")]
)
def test_expressions_mean_what_pythons_gettext_takes_them_to_mean(header: str) -> None:
    expression = header.partition("plural=")[2].rstrip(";")
    oracle = gettext.c2py(expression)  # the standard library's own parser
    forms = parse_plural_forms(header)

    assert [form_of(forms, n) for n in range(200)] == [oracle(n) for n in range(200)]


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0:
        return draw(st.sampled_from(["n", "0", "1", "2", "10", "100"]))
    left, right = draw(expressions(depth=depth - 1)), draw(expressions(depth=depth - 1))
    sum_of = f"({left} {draw(st.sampled_from(['+', '-', '*']))} {right})"
    compared = f"({left} {draw(st.sampled_from(['==', '!=', '<', '>', '<=', '>=']))} {right})"
    # Python's `and` gives a value where C's && gives 0 or 1; of comparisons both give the same.
    joined = f"({compared} {draw(st.sampled_from(['&&', '||']))} {left} != 3)"
    return draw(st.sampled_from([sum_of, compared, joined, f"({left} ? {right} : {left})", f"{left}%7"]))


@given(expression=expressions(), count=st.integers(0, 500))
def test_any_expression_gives_what_pythons_gettext_gives(expression: str, count: int) -> None:
    oracle = gettext.c2py(f"({expression}) % 6")
    wanted = [oracle(n) for n in (*CHECKED_COUNTS, count)]

    try:
        forms = parse_plural_forms(f"nplurals=6; plural=({expression}) % 6;")
    except CatalogBroken:
        assert any(not 0 <= form < 6 for form in wanted) or len(expression) > 900
    else:
        assert form_of(forms, count) == wanted[-1]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("nplurals=INTEGER; plural=EXPRESSION;", id="9 a template's words"),
        pytest.param("nplurals=2; plural=n/0;", id="10 division by zero"),
        pytest.param("nplurals=2; plural=n%0;", id="10 remainder by zero"),
        pytest.param("nplurals=2; plural=n;", id="11 a form that is not there"),
        pytest.param("nplurals=2; plural=n-1;", id="a negative form"),
        pytest.param("nplurals=0; plural=0;", id="no forms"),
        pytest.param("nplurals=7; plural=0;", id="more forms than any language"),
        pytest.param("", id="nothing"),
        pytest.param("nplurals=2; plural=(n != 1", id="an open bracket"),
        pytest.param("nplurals=2; plural=n != ;", id="half a comparison"),
        pytest.param("nplurals=2; plural=n 1;", id="two values"),
        pytest.param("nplurals=2; plural=n ? 1;", id="half a choice"),
        pytest.param("nplurals=2; plural=*n;", id="an operator without a value"),
        pytest.param("nplurals=2; plural=__import__('os');", id="code"),
        pytest.param("nplurals=2; plural=n**9;", id="a power"),
        pytest.param("nplurals=1; plural=" + "(" * 100 + "0" + ")" * 100 + ";", id="deep brackets"),
        pytest.param("nplurals=1; plural=" + "!" * 100 + "0;", id="deep negation"),
        pytest.param("nplurals=1; plural=" + "0+" * 600 + "0;", id="a long expression"),
    ],
)
def test_a_header_that_cannot_serve_every_count_is_refused(header: str) -> None:
    with pytest.raises(CatalogBroken):
        parse_plural_forms(header)


def test_a_header_of_nothing_but_spaces_is_refused_at_once() -> None:
    def refuse() -> None:
        with pytest.raises(CatalogBroken):
            parse_plural_forms("nplurals=2; plural=" + " " * 100_000 + ";;")

    assert cpu_seconds(refuse) < 1


def test_a_form_beyond_the_checked_counts_is_refused_when_it_comes() -> None:
    forms = parse_plural_forms("nplurals=2; plural=(n > 5000 ? 9 : 0);")

    assert form_of(forms, 1) == 0
    with pytest.raises(CatalogBroken, match="9 of 2"):
        form_of(forms, 5001)


def test_a_coarser_header_than_cldr_is_named_with_its_first_count_8() -> None:
    mismatch = compare_with_cldr(parse_plural_forms("nplurals=2; plural=(n != 1);"), parse_locale("pl"))

    assert mismatch is not None
    assert mismatch.is_coarser
    assert mismatch.count == 2
    assert "few" in mismatch.message


def test_a_finer_header_than_cldr_is_told_apart_from_a_coarser_one() -> None:
    kde = "nplurals=4; plural=(n==1 ? 0 : n%10>=2 && (n%100<11 || n%100>19) ? 1 : n%10==1 && n%100!=11 ? 3 : 2);"

    mismatch = compare_with_cldr(parse_plural_forms(kde), parse_locale("lt"))

    assert mismatch is not None
    assert not mismatch.is_coarser


@pytest.mark.parametrize("tag", ["fr", "es", "it", "pt"])
def test_a_form_for_whole_millions_may_be_there_or_not(tag: str) -> None:
    locale = parse_locale(tag)
    zero = "n==0 || n==1" if tag in {"fr", "pt"} else "n==1"
    with_many = parse_plural_forms(f"nplurals=3; plural=({zero} ? 0 : n != 0 && n % 1000000 == 0 ? 1 : 2);")

    assert len(categories(locale)) == 2
    assert compare_with_cldr(with_many, locale) is None


def test_forms_may_stand_in_another_order_than_cldrs() -> None:
    assert compare_with_cldr(parse_plural_forms("nplurals=2; plural=(n == 1);"), parse_locale("en")) is None


def test_the_counts_of_a_form_show_whether_it_speaks_of_one_number() -> None:
    assert counts_of_form(HEADERS["ar"], 1) == (1,)
    assert counts_of_form(HEADERS["ru"], 0, limit=40) == (1, 21, 31)


def test_a_negated_value_is_one_for_zero() -> None:
    # Python's gettext cannot be the oracle: it makes `1 + !n` a syntax error.
    forms = parse_plural_forms("nplurals=3; plural=(1 + !n - !!n);")

    assert [form_of(forms, n) for n in (0, 1, 2)] == [2, 0, 0]


def test_the_sign_of_a_count_does_not_matter() -> None:
    assert form_of(parse_plural_forms(HEADERS["fr"]), -1) == 0
