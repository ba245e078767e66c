"""Numbers, percentages, money and units as a locale writes them: CLDR's data by way of Babel, its defects mended.

Babel 2.18 ignores minimum grouping (`1.234 €` in Spain), writes `KWD12` without the space, uses an ASCII hyphen where
CLDR says U+2212, and loses units whose long form CLDR borrows from the short one (`3 duration-day` in Arabic).
Digits are Latin in every locale: one system, also for dates, codes and numbers that come from data.
"""

import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

from babel import Locale
from babel.numbers import NumberPattern, get_currency_symbol

from gateway.localization.locales import parents, to_posix
from gateway.localization.values import ARITHMETIC, BadValue, currency_digits

# CLDR 47 minimumGroupingDigits where it is not 1 or differs from the parent's: how many digits must stand before the
# first separator for any to be written.
_MINIMUM_GROUPING = {
    "be": 2, "bg": 2, "ee": 3, "es": 2, "es_419": 1, "et": 2, "hu": 2, "ia": 2, "ie": 2, "it": 2, "ka": 2, "lv": 2,
    "pl": 2, "pt_AO": 1, "pt_PT": 2, "ru_UA": 2, "sl": 2, "sq": 2,
}  # fmt: skip
_UNIT_NAME = re.compile(r"[a-z]+(?:-[a-z0-9]+){0,6}", re.ASCII)
_NO_BREAK_SPACE = "\u00a0"


class _Affixes(NamedTuple):
    before: str
    after: str


class NumberFormat:
    """One number pattern of one locale, taken apart once."""

    def __init__(self, locale: Locale, pattern: NumberPattern) -> None:
        symbols = dict(locale.number_symbols["latn"])
        if "¤" in pattern.pattern:  # two locales write money with other separators
            symbols["decimal"] = symbols.get("currencyDecimal", symbols["decimal"])
            symbols["group"] = symbols.get("currencyGroup", symbols["group"])
        elif "currencyGroup" in symbols:
            # Babel takes the group of money for that of numbers as well; CLDR 47 has a no-break space for de-AT.
            symbols["group"] = _NO_BREAK_SPACE
        self._decimal, self._group = str(symbols["decimal"]), str(symbols["group"])
        self._primary, self._secondary = pattern.grouping
        self._minimum_grouping = _minimum_grouping(locale)
        self._signs = {"-": symbols["minusSign"], "%": symbols["percentSign"]}
        self._positive = _Affixes(self._localize(pattern.prefix[0]), self._localize(pattern.suffix[0]))
        self._negative = _Affixes(self._localize(pattern.prefix[1]), self._localize(pattern.suffix[1]))

    def _localize(self, affix: str) -> str:
        return "".join(self._signs.get(character, character) for character in affix.replace("'", ""))

    def format(self, value: Decimal, least: int, most: int, symbol: str = "") -> str:
        """The number with `least` to `most` decimals; `symbol` stands where the pattern has the currency."""
        rounded = value.quantize(Decimal(1).scaleb(-most), context=ARITHMETIC)
        whole, _, fraction = f"{abs(rounded):f}".partition(".")
        while len(fraction) > least and fraction.endswith("0"):
            fraction = fraction[:-1]
        digits = self._grouped(whole) + (self._decimal + fraction if fraction else "")
        before, after = self._negative if rounded < 0 else self._positive
        if symbol:
            before, after = _put_symbol(before, after, symbol)
        return before + digits + after

    def _grouped(self, whole: str) -> str:
        size = self._primary
        if len(whole) < size + self._minimum_grouping:
            return whole
        groups = [whole[-size:]]
        rest = whole[:-size]
        while rest:
            groups.append(rest[-self._secondary :])
            rest = rest[: -self._secondary]
        return self._group.join(reversed(groups))


def _minimum_grouping(locale: Locale) -> int:
    for member in (locale, *parents(locale)):
        name = to_posix(member)
        if name in _MINIMUM_GROUPING:
            return _MINIMUM_GROUPING[name]
    return 1


def _put_symbol(before: str, after: str, symbol: str) -> tuple[str, str]:
    """Put the symbol in; a letter beside a digit gets a no-break space (currencySpacing of CLDR, alike everywhere)."""
    if before.endswith("¤") and _needs_space(symbol[-1]):
        symbol += _NO_BREAK_SPACE
    elif after.startswith("¤") and _needs_space(symbol[0]):
        symbol = _NO_BREAK_SPACE + symbol
    return before.replace("¤", symbol), after.replace("¤", symbol)


def _needs_space(character: str) -> bool:
    """True for what is neither a symbol nor a separator; direction marks are no letters either."""
    return unicodedata.category(character)[0] not in "SZ" and unicodedata.category(character) != "Cf"


class NumberFormats:
    """All that one locale writes with digits."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale
        self._decimal = NumberFormat(locale, locale.decimal_formats[None])
        self._percent = NumberFormat(locale, locale.percent_formats[None])
        self._money = NumberFormat(locale, locale.currency_formats["standard"])
        self._symbols: dict[str, str] = {}

    def number(self, value: Decimal, decimals: int | None = None) -> str:
        """With up to three decimals, or exactly as many as asked."""
        if decimals is None:
            return self._decimal.format(value, 0, 3)
        return self._decimal.format(value, decimals, decimals)

    def percent(self, value: Decimal, decimals: int = 0) -> str:
        """A fraction as a percentage: 0.25 is 25 %."""
        return self._percent.format(ARITHMETIC.multiply(value, Decimal(100)), decimals, decimals)

    def money(self, amount: Decimal, currency: str) -> str:
        """An amount with as many decimals as the currency has, halves rounded up."""
        symbol = self._symbols.get(currency)
        if symbol is None:
            symbol = self._symbols[currency] = get_currency_symbol(currency, self._locale)
        digits = currency_digits(currency)
        return self._money.format(amount, digits, digits, symbol)

    def unit(self, value: Decimal, unit: str) -> str:
        """A measure with the unit written out: `3 kilometers`; the unit's CLDR name, with or without its type."""
        shown = self.number(value)
        # The plural follows what is shown: 1.00001 is shown as 1.
        pattern = self._unit_pattern(unit, self._locale.plural_form(_shown_value(value)))
        return pattern.replace("{0}", shown)

    def _unit_pattern(self, unit: str, category: str) -> str:
        lengths = self._find_unit(unit)
        # CLDR lets a locale leave out the long form where it is the same as the short one.
        for length in ("long", "short", "narrow"):
            patterns = lengths.get(length, {})
            for key in (category, "other"):
                if key in patterns:
                    return str(patterns[key])
        raise BadValue(f"unit {unit!r} has no name in {self._locale}")

    def _find_unit(self, unit: str) -> dict[str, dict[str, str]]:
        all_patterns = self._locale._data["unit_patterns"]
        if not _UNIT_NAME.fullmatch(unit):
            raise BadValue(f"unknown unit: {unit[:40]!r}")
        found = next((name for name in all_patterns if name == unit or name.partition("-")[2] == unit), None)
        if found is None:
            raise BadValue(f"unknown unit: {unit[:40]!r}")
        patterns: dict[str, dict[str, str]] = all_patterns[found]
        return patterns


def _shown_value(value: Decimal) -> Decimal:
    rounded = abs(value).quantize(Decimal("0.001"), context=ARITHMETIC)
    return rounded.to_integral_value() if rounded == rounded.to_integral_value() else rounded.normalize(ARITHMETIC)
