"""Plural forms: the expression of a PO header, evaluated safely, and what CLDR says it should be.

Babel's own table for PO headers differs from CLDR for some twenty languages; `Locale.plural_form` is right, so headers
are derived from it and checked against it.
"""

import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

from babel import Locale, localedata
from babel.core import get_global
from babel.plural import PluralRule, to_gettext

from gateway.errors import CatalogBroken
from gateway.localization.locales import to_posix
from gateway.localization.po_reader import MAX_PLURAL_FORMS

CHECKED_COUNTS = range(1001)
"""Counts for which headers are held against CLDR: every rule of CLDR 47 repeats within a thousand, but for millions."""

_CATEGORIES = ("zero", "one", "two", "few", "many", "other")
# Possessive: spaces that several parts could take would be shared out in every way there is.
_HEADER = re.compile(r"\s*nplurals\s*=\s*([0-9]{1,2})\s*;\s*plural\s*=([^;]++);?\s*", re.ASCII)
_TOKEN = re.compile(r"\s*([0-9]{1,9}|n|\|\||&&|==|!=|<=|>=|[-?:<>+*/%!()])", re.ASCII)
_MAX_EXPRESSION = 1000
_MAX_DEPTH = 60

Expression = Callable[[int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluralForms:
    """The `Plural-Forms` of one PO file."""

    count: int
    """How many forms each plural entry has."""
    header: str
    """As written in the file."""
    index: Expression
    """Count → which form; the count's sign does not matter."""


def form_of(forms: PluralForms, count: int) -> int:
    """Which form a count takes; CatalogBroken if the expression divides by zero or names a form that is not there."""
    try:
        index = forms.index(abs(count))
    except ZeroDivisionError as error:
        raise CatalogBroken(f"the plural expression divides by zero for n = {count}") from error
    if not 0 <= index < forms.count:
        raise CatalogBroken(f"the plural expression gives form {index} of {forms.count} for n = {count}")
    return index


@lru_cache(maxsize=1_024)
def plural_rule_of(locale: Locale) -> PluralRule:
    """CLDR's rule for a locale, read on its own.

    `Locale.plural_form` reads and keeps all that CLDR knows of the locale, a megabyte: too much for a process that
    checks catalogs and writes no message in most of their languages.
    """
    name: str | None = to_posix(locale)
    while name is not None and localedata.exists(name):
        # Babel's own file, by its own path; a locale without a rule has its parent's.
        with Path(localedata.resolve_locale_filename(name)).open("rb") as file:
            known = pickle.load(file)  # noqa: S301 - a part of the package
        if (rule := known.get("plural_form")) is not None:
            return cast(PluralRule, rule)
        name = get_global("parent_exceptions").get(name) or name.rpartition("_")[0] or None
    return locale.plural_form


@lru_cache(maxsize=256)
def parse_plural_forms(header: str) -> PluralForms:
    """Read `nplurals=…; plural=…;`.

    CatalogBroken if it does not parse, has more forms than any language, or fails for a count from 0 to 1000.
    """
    found = _HEADER.fullmatch(header)
    if found is None:
        raise CatalogBroken(f"Plural-Forms is not understood: {header[:80]!r}")
    count = int(found[1])
    if not 1 <= count <= MAX_PLURAL_FORMS:
        raise CatalogBroken(f"Plural-Forms has {count} forms")
    forms = PluralForms(count=count, header=header, index=_Parser(found[2]).parse())
    for number in CHECKED_COUNTS:
        form_of(forms, number)
    return forms


@lru_cache(maxsize=512)
def categories(locale: Locale) -> tuple[str, ...]:
    """The CLDR plural categories that whole numbers take, in CLDR's order: pl has one, few, many.

    Leaves out what only fractions take (`other` in Polish) and what only whole millions take (`many` in French and
    Spanish): translators would fill those in for nothing.
    """
    rule = plural_rule_of(locale)
    used = {rule(number) for number in CHECKED_COUNTS}
    return tuple(category for category in _CATEGORIES if category in used)


# As people write them; the expressions that Babel derives from the rules are right but unreadable.
_TIDY_EXPRESSIONS = (
    "0",
    "n != 1",
    "n > 1",
    "n%10==1 && n%100!=11 ? 0 : 1",
    "n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2",
    "n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2",
    "n==1 ? 0 : n>=2 && n<=4 ? 1 : 2",
    "n==1 ? 0 : n==2 ? 1 : 2",
    "n==1 ? 0 : n==0 || (n%100>=1 && n%100<=19) ? 1 : 2",
    "n%10==1 && (n%100<11 || n%100>19) ? 0 : n%10>=2 && (n%100<11 || n%100>19) ? 1 : 2",
    "n%10==0 || (n%100>=11 && n%100<=19) ? 0 : n%10==1 && n%100!=11 ? 1 : 2",
    "n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3",
    "n==1 ? 0 : n==2 ? 1 : n>=3 && n<=6 ? 2 : n>=7 && n<=10 ? 3 : 4",
    "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n==3 ? 3 : n==6 ? 4 : 5",
    "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5",
)


@lru_cache(maxsize=512)
def cldr_header(locale: Locale) -> str:
    """The `Plural-Forms` header that CLDR's rules give for the locale."""
    used = categories(locale)
    index_of = {category: index for index, category in enumerate(used)}
    rule = plural_rule_of(locale)
    wanted = [index_of[rule(number)] for number in CHECKED_COUNTS]
    for expression in _TIDY_EXPRESSIONS:
        index = _Parser(expression).parse()
        if all(index(number) == form for number, form in zip(CHECKED_COUNTS, wanted, strict=True)):
            return f"nplurals={len(used)}; plural={expression if expression == '0' else f'({expression})'};"
    rules = rule.rules
    # Babel counts `other` as one more form, which is the last one here: its condition is what the others leave.
    return to_gettext(PluralRule({category: rules[category] for category in used[:-1]})).rstrip(";") + ";"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluralMismatch:
    """A header that splits the counts otherwise than CLDR."""

    count: int
    """The first count that shows it."""
    is_coarser: bool
    """True if the header gives one form to counts that need two; False if it is merely finer than needed."""
    message: str


def compare_with_cldr(forms: PluralForms, locale: Locale) -> PluralMismatch | None:
    """How the header's forms differ from CLDR's for counts from 0 to 1000; None if they split the counts alike."""
    category_of: dict[int, str] = {}
    form_of_category: dict[str, int] = {}
    finer: PluralMismatch | None = None
    rule = plural_rule_of(locale)
    for number in CHECKED_COUNTS:
        index, category = form_of(forms, number), rule(number)
        if category_of.setdefault(index, category) != category:
            message = f"n = {number} takes form {index} like «{category_of[index]}», but is «{category}» in CLDR"
            return PluralMismatch(count=number, is_coarser=True, message=message)
        if form_of_category.setdefault(category, index) != index and finer is None:
            message = f"n = {number} has a form of its own although it is «{category}» in CLDR"
            finer = PluralMismatch(count=number, is_coarser=False, message=message)
    return finer


@lru_cache(maxsize=256)
def counts_of_form(header: str, index: int, limit: int = 200) -> tuple[int, ...]:
    """The counts below `limit` that take a form: examples for translators, and whether a form covers one count only."""
    forms = parse_plural_forms(header)
    return tuple(number for number in range(limit) if form_of(forms, number) == index)


class _Parser:
    """Recursive descent over C's operators as gettext allows them (GNU gettext manual, "Plural forms"); no eval."""

    _LEVELS: tuple[tuple[str, ...], ...] = (
        ("||",),
        ("&&",),
        ("==", "!="),
        ("<", ">", "<=", ">="),
        ("+", "-"),
        ("*", "/", "%"),
    )

    def __init__(self, text: str) -> None:
        if len(text) > _MAX_EXPRESSION:
            raise CatalogBroken("the plural expression is too long")
        self._tokens: list[str] = []
        position = 0
        text = text.strip()
        while position < len(text):
            token = _TOKEN.match(text, position)
            if token is None:
                raise CatalogBroken(f"the plural expression is not understood at {text[position : position + 20]!r}")
            self._tokens.append(token[1])
            position = token.end()
        self._depth = 0

    def parse(self) -> Expression:
        """The whole expression as a function of n."""
        expression = self._ternary()
        if self._tokens:
            raise CatalogBroken(f"the plural expression goes on after its end: {self._tokens[0]!r}")
        return expression

    def _next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self, expected: str = "") -> str:
        if not self._tokens or (expected and self._tokens[0] != expected):
            raise CatalogBroken(f"the plural expression lacks {expected or 'a value'!r}")
        return self._tokens.pop(0)

    def _ternary(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise CatalogBroken("the plural expression is nested too deeply")
        condition = self._binary(0)
        if self._next() == "?":
            self._take("?")
            then = self._ternary()
            self._take(":")
            otherwise = self._ternary()
            self._depth -= 1
            return lambda n: then(n) if condition(n) else otherwise(n)
        self._depth -= 1
        return condition

    def _binary(self, level: int) -> Expression:
        if level == len(self._LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._next() in self._LEVELS[level]:
            operator = self._take()
            left = _apply(operator, left, self._binary(level + 1))
        return left

    def _unary(self) -> Expression:
        piece = self._take()
        if piece == "!":
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                raise CatalogBroken("the plural expression is nested too deeply")
            value = self._unary()
            self._depth -= 1
            return lambda n: int(not value(n))
        if piece == "(":
            inner = self._ternary()
            self._take(")")
            return inner
        if piece == "n":
            return lambda n: n
        if piece.isdigit():
            number = int(piece)
            return lambda _: number
        raise CatalogBroken(f"the plural expression has {piece!r} where a value should be")


def _apply(operator: str, left: Expression, right: Expression) -> Expression:
    match operator:
        case "||":
            return lambda n: int(bool(left(n)) or bool(right(n)))
        case "&&":
            return lambda n: int(bool(left(n)) and bool(right(n)))
        case _:
            calculate = _OPERATORS[operator]
            return lambda n: int(calculate(left(n), right(n)))


_OPERATORS: dict[str, Callable[[int, int], int]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
