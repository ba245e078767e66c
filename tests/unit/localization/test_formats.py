"""Numbers, money, dates and lists.

Where CLDR 47 (Babel 2.18) and 48 agree, the expected text is what ICU 78.2 gives (Intl of node 20).
"""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
import pytz
from babel import localedata
from hypothesis import given
from hypothesis import strategies as st

from gateway.localization.formats import BadValue, Formats, UnknownCurrency, UnknownTimeZone
from gateway.localization.locales import parse_locale
from gateway.localization.values import is_currency, is_time_zone

NOW = datetime(2026, 3, 9, 23, 30, tzinfo=UTC)
NOW_TEXT = "2026-03-09T23:30:00Z"
NBSP, NNBSP = "\u00a0", "\u202f"


def formats(tag: str, zone: str = "UTC", *, plain: bool = False) -> Formats:
    return Formats(parse_locale(tag), zone, NOW, plain_spaces=plain)


def money(tag: str, amount: str, currency: str) -> str:
    return formats(tag).money({"amount": amount, "currency": currency})


@pytest.mark.parametrize(
    ("tag", "amount", "currency", "expected"),
    [
        pytest.param("en", "1234.5", "JPY", "¥1,235", id="62 yen have no decimals and halves go up"),
        pytest.param("en", "1.5", "KWD", "KWD\u00a01.500", id="62 dinars have three"),
        pytest.param("es-CL", "9999", "CLP", "$9.999", id="62 Chilean pesos have none"),
        pytest.param("en", "0.125", "USD", "$0.13", id="63 halves go up, not to even"),
        pytest.param("en", "-0.125", "USD", "-$0.13", id="63 and down below zero"),
        pytest.param("es", "1234.56", "EUR", "1234,56\u00a0€", id="64 Spain groups from five digits on"),
        pytest.param("es-ES", "12345.5", "USD", "12.345,50\u00a0US$", id="64 with five it does"),
        pytest.param("pt-PT", "1234.56", "EUR", "1234,56\u00a0€", id="64 Portugal"),
        pytest.param("pl", "1234.56", "EUR", "1234,56\u00a0€", id="64 Poland"),
        pytest.param("pl-PL", "12345.5", "EUR", "12\u00a0345,50\u00a0€", id="64 Poland with five"),
        pytest.param("it", "1234.56", "EUR", "1234,56\u00a0€", id="64 Italy"),
        pytest.param("lv", "1234.56", "EUR", "1234,56\u00a0€", id="64 Latvia"),
        pytest.param("bg", "1234.56", "EUR", "1234,56\u00a0€", id="64 Bulgaria"),
        pytest.param("pt-BR", "1234.56", "EUR", "€\u00a01.234,56", id="Brazil groups from four"),
        pytest.param("en-US", "12345.678", "KWD", "KWD\u00a012,345.678", id="65 letters stand apart"),
        pytest.param("es-MX", "12345.5", "USD", "USD\u00a012,345.50", id="65 in Mexico too"),
        pytest.param("de-CH", "-5", "USD", "$-5.00", id="a sign keeps letters apart by itself"),
        pytest.param("sv", "-5", "USD", "−5,00\u00a0US$", id="66 Swedish minus"),
        pytest.param("nb", "-5", "NOK", "−5,00\u00a0kr", id="66 Norwegian minus"),
        pytest.param("fi", "-5", "EUR", "−5,00\u00a0€", id="66 Finnish minus"),
        pytest.param("ar-EG", "12345.67", "EGP", "\u200f12,345.67\u00a0ج.م.\u200f", id="67 one system: Latin digits"),
        pytest.param("fa-IR", "12345.67", "USD", "\u200e$\u00a012,345.67", id="67 in Persian too"),
        pytest.param("en-US", "12.5", "CAD", "CA$12.50", id="68 Canadian dollars for Americans"),
        pytest.param("en-CA", "12.5", "CAD", "$12.50", id="68 for Canadians"),
        pytest.param("fr-CA", "12.5", "CAD", "12,50\u00a0$", id="68 for French Canadians"),
        pytest.param("fr", "1234.56", "EUR", "1\u202f234,56\u00a0€", id="French groups with narrow spaces"),
        pytest.param("de", "1234.56", "EUR", "1.234,56\u00a0€", id="German"),
        pytest.param("ja", "1234", "JPY", "￥1,234", id="Japanese"),
        pytest.param("he", "1234.56", "EUR", "\u200f1,234.56\u00a0\u200f€", id="Hebrew"),
        pytest.param("hi", "1234567.5", "INR", "₹12,34,567.50", id="Indian lakhs"),
        pytest.param("fr-CH", "12.5", "CAD", "12.50\u00a0$CA", id="Swiss French money has a point"),
        pytest.param("en", "-0.001", "USD", "$0.00", id="there is no negative zero"),
    ],
)
def test_money_is_written_as_the_locale_does(tag: str, amount: str, currency: str, expected: str) -> None:
    assert money(tag, amount, currency) == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"amount": 0.30000000000000004, "currency": "USD"}, id="63 a float"),
        pytest.param({"amount": "1e5", "currency": "USD"}, id="an exponent"),
        pytest.param({"amount": "12,50", "currency": "USD"}, id="a comma"),
        pytest.param({"amount": "1" * 31, "currency": "USD"}, id="too many digits"),
        pytest.param({"amount": "NaN", "currency": "USD"}, id="no number"),
        pytest.param({"amount": True, "currency": "USD"}, id="a boolean"),
        pytest.param({"amount": "١٢", "currency": "USD"}, id="other digits"),
        pytest.param({"currency": "USD"}, id="no amount"),
        pytest.param("12.50 USD", id="a text"),
    ],
)
def test_money_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(BadValue):
        formats("en").money(value)


@pytest.mark.parametrize("currency", ["XYZZY", "usd", "US$", "", None, "QQQ"])
def test_an_unknown_currency_is_refused(currency: object) -> None:
    with pytest.raises(UnknownCurrency) as refused:
        formats("en").money({"amount": "1", "currency": currency})

    assert isinstance(refused.value, ValueError)


def test_currencies_and_zones_can_be_asked_for_before_formatting() -> None:
    assert is_currency("KWD")
    assert not is_currency("kwd")
    assert is_time_zone("Europe/Paris")
    assert not is_time_zone("europe/paris")


@pytest.mark.parametrize(
    ("tag", "value", "expected"),
    [
        ("de", 1234567, "1.234.567"),
        ("en", "1234567.891", "1,234,567.891"),
        ("en", 0.1, "0.1"),
        ("en", 2.0005, "2.001"),
        ("es", 1234, "1234"),
        ("es", 12345, "12.345"),
        ("es-MX", 1234, "1,234"),
        ("sv", -1, "−1"),
        ("hi", 1234567, "12,34,567"),
        ("ar", 1234.5, "1,234.5"),
        ("de-AT", 1234567, "1\u00a0234\u00a0567"),
        ("en", -0.0, "0"),
    ],
)
def test_numbers_are_grouped_and_signed_as_the_locale_does(tag: str, value: object, expected: str) -> None:
    assert formats(tag).number(value) == expected


def test_decimals_may_be_asked_for() -> None:
    assert formats("fr").number("2", 2) == "2,00"
    assert formats("en").number("2.345", 2) == "2.35"
    with pytest.raises(BadValue):
        formats("en").number(1, 99)
    with pytest.raises(BadValue):
        formats("en").number(1, True)


@pytest.mark.parametrize(
    "value", [None, [], {}, True, "", "1.2.3", "0x10", float("nan"), float("inf"), 1e300, "a" * 100]
)
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(BadValue) as refused:
        formats("en").number(value)

    assert len(str(refused.value)) < 100


def test_a_number_of_more_digits_than_python_writes_out_is_refused() -> None:
    with pytest.raises(BadValue):
        formats("en").number(10**5000)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("en", "25%"), ("de", "25\u00a0%"), ("fr", "25\u00a0%"), ("ar", "25\u200e%\u200e"), ("pt-BR", "25%")],
)
def test_a_fraction_is_a_percentage(tag: str, expected: str) -> None:
    assert formats(tag).percent(0.25) == expected
    assert formats("en").percent("0.1234", 1) == "12.3%"


@pytest.mark.parametrize(
    ("tag", "value", "unit", "expected"),
    [
        ("en", 3, "kilometer", "3 kilometers"),
        ("en", 1, "kilometer", "1 kilometer"),
        ("en", "1.5", "kilometer", "1.5 kilometers"),
        ("fr", "1.5", "kilometer", "1,5\u00a0kilomètre"),
        ("ru", 3, "kilometer", "3 километра"),
        ("ru", 5, "length-kilometer", "5 километров"),
        pytest.param("ar", 3, "day", "3 أيام", id="69 Arabic days"),
        ("ar", 2, "day", "يومان"),
        ("zh-Hant", 3, "day", "3 天"),
        ("pt-PT", 3, "day", "3 dias"),
        ("de", 2, "megabyte", "2 Megabyte"),
        ("en", 20, "celsius", "20 degrees Celsius"),
    ],
)
def test_units_are_written_out(tag: str, value: object, unit: str, expected: str) -> None:
    assert formats(tag).unit(value, unit) == expected


@pytest.mark.parametrize("unit", ["parsnip", "", "Kilometer", "../kilometer", "a" * 200])
def test_an_unknown_unit_is_refused(unit: str) -> None:
    with pytest.raises(BadValue):
        formats("en").unit(1, unit)


def test_units_have_one_form() -> None:
    with pytest.raises(BadValue):
        formats("en").unit(1, "kilometer", "short")  # type: ignore[arg-type]


def test_every_locale_can_write_days_hours_and_money() -> None:
    for name in localedata.locale_identifiers():
        if name == "root":
            continue
        found = formats(name.replace("_", "-"))

        assert "duration" not in found.duration(90000)
        assert found.money({"amount": "1234.50", "currency": "EUR"})
        assert found.date("2026-03-09", "full")
        assert found.relative("2026-03-10T23:30:00Z")
        assert found.list(["a", "b", "c"], "or")


@pytest.mark.parametrize(
    ("tag", "form", "expected"),
    [
        ("en", "full", "Tuesday, March 10, 2026"),
        ("en", "medium", "Mar 10, 2026"),
        ("de", "long", "10. März 2026"),
        ("fr", "full", "mardi 10 mars 2026"),
        ("pl", "long", "10 marca 2026"),
        ("ja", "full", "2026年3月10日火曜日"),
        ("ar", "full", "الثلاثاء، 10 مارس 2026"),
        ("he", "full", "יום שלישי, 10 במרץ 2026"),
        ("zh-Hant", "full", "2026年3月10日 星期二"),
        pytest.param("ru", "MMMMd", "10 марта", id="72 in a date the month is in the genitive"),
        pytest.param("ru", "LLLL", "март", id="72 alone it is in the nominative"),
        pytest.param("pl", "yMMMM", "marzec 2026", id="72 in Polish too"),
        pytest.param("en", "MMMEd", "Tue, Mar 10", id="a skeleton"),
        pytest.param("de", "MMMMEEEEd", "Dienstag, 10. März", id="names as long as asked for"),
        pytest.param("fr", "EEEEdMMMM", "mardi 10 mars", id="in any order"),
        pytest.param("th", "long", "10 มีนาคม ค.ศ. 2026", id="76 the calendar is Gregorian everywhere"),
    ],
)
def test_a_date_is_written_as_the_locale_does(tag: str, form: str, expected: str) -> None:
    assert formats(tag).date("2026-03-10", form) == expected


def test_an_instant_is_shown_in_the_readers_zone_70() -> None:
    tokyo = formats("en-GB", "Asia/Tokyo")

    assert tokyo.datetime(NOW_TEXT, "short") == "10/03/2026, 08:30"
    assert tokyo.date(NOW_TEXT, "short") == "10/03/2026"
    assert tokyo.time(NOW_TEXT) == "08:30"
    assert tokyo.date("2026-03-09T23:30:00+09:00", "short") == "09/03/2026"


def test_zones_have_their_offsets_and_not_local_mean_time_73() -> None:
    paris = formats("fr", "Europe/Paris")

    assert paris.time("2026-07-01T10:00:00Z") == "12:00"
    assert paris.time("2026-01-01T10:00:00Z") == "11:00"
    assert paris.time("2026-07-01T10:00:00Z", "full") == "12:00:00 heure d’été d’Europe centrale"


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2026-03-08T06:59:00Z", "1:59\u202fAM"),
        ("2026-03-08T07:00:00Z", "3:00\u202fAM"),
        ("2026-11-01T05:30:00Z", "1:30\u202fAM"),
        ("2026-11-01T06:30:00Z", "1:30\u202fAM"),
    ],
)
def test_gaps_and_overlaps_are_the_zones_own_74(instant: str, expected: str) -> None:
    assert formats("en", "America/New_York").time(instant) == expected


def pinned_zone(name: str) -> ZoneInfo:
    """The zone from the tzdata package: the machine's own database may be a year behind pytz."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@given(
    instant=st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)),  # made aware below
    zone=st.sampled_from(sorted(set(pytz.common_timezones) - {"US/Pacific-New"})),
)
def test_the_time_shown_is_the_one_that_zoneinfo_computes(instant: datetime, zone: str) -> None:
    aware = instant.replace(microsecond=0, tzinfo=UTC)

    shown = formats("en-GB", zone).datetime(aware.isoformat(), "yMMddHHmmss")

    assert shown == aware.astimezone(pinned_zone(zone)).strftime("%d/%m/%Y, %H:%M:%S")


@pytest.mark.parametrize(
    ("tag", "form", "expected"),
    [
        ("en", "jm", "11:30 PM"),
        ("de", "jm", "23:30"),
        ("en", "yMMMMdjm", "March 9, 2026, 11:30 PM"),
        ("de", "MMMdHm", "9. März, 23:30"),
        ("en", "Hms", "23:30:00"),
    ],
)
def test_a_skeleton_of_date_and_time_is_joined_as_the_locale_does(tag: str, form: str, expected: str) -> None:
    shown = formats(tag).datetime(NOW_TEXT, form)

    # CLDR's releases differ in the kind of space before PM.
    assert shown.replace(NNBSP, " ") == expected


@pytest.mark.parametrize("form", ["YYYY-MM-dd", "y-M-d", "tiny", "", "M" * 40, "{0}", "QQQQs"])
def test_a_pattern_or_a_week_year_is_refused_as_skeleton_71(form: str) -> None:
    with pytest.raises(BadValue):
        formats("en").date("2026-12-31", form)


@pytest.mark.parametrize(
    "value", ["2026-02-30", "2026-3-1", "", None, 20260301, "tomorrow", "2026-03-09T23:30:00", "0"]
)
def test_what_is_no_date_or_instant_is_refused(value: object) -> None:
    with pytest.raises(BadValue):
        formats("en").date(value)
    with pytest.raises(BadValue):
        formats("en").datetime(value)


@pytest.mark.parametrize(
    ("instant", "zone"),
    [("9999-12-31T23:59:59Z", "Pacific/Kiritimati"), ("0001-01-01T00:00:00Z", "America/New_York")],
)
def test_an_instant_beyond_the_zones_calendar_is_refused(instant: str, zone: str) -> None:
    with pytest.raises(BadValue):
        formats("en", zone).datetime(instant)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "europe/paris", "", "../../etc/passwd", "UTC+2"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(UnknownTimeZone) as refused:
        formats("en", zone)

    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        pytest.param(timedelta(hours=23), "in 23 hours", id="75 23 hours are no day"),
        (timedelta(hours=24), "in 1 day"),
        (timedelta(minutes=59, seconds=59), "in 59 minutes"),
        (timedelta(days=6, hours=23), "in 6 days"),
        (timedelta(days=7), "in 1 week"),
        (timedelta(days=29), "in 4 weeks"),
        (timedelta(days=30), "in 1 month"),
        (timedelta(days=364), "in 12 months"),
        (timedelta(days=365), "in 1 year"),
        (timedelta(), "in 0 seconds"),
        (timedelta(days=-3), "3 days ago"),
        (timedelta(minutes=-90), "1 hour ago"),
    ],
)
def test_relative_time_is_in_the_largest_unit_of_at_least_one(delta: timedelta, expected: str) -> None:
    assert formats("en").relative((NOW + delta).isoformat()) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("fr", "dans 23 heures"), ("de", "in 23 Stunden"), ("pl", "za 23 godziny"), ("ru", "через 23 часа"),
        ("ar", "خلال 23 ساعة"), ("he", "בעוד 23 שעות"), ("ja", "23 時間後"), ("zh-Hans", "23小时后"),
    ],
)  # fmt: skip
def test_relative_time_is_inflected(tag: str, expected: str) -> None:
    assert formats(tag).relative("2026-03-10T22:30:00Z") == expected


def test_a_date_is_some_days_away_in_the_readers_zone() -> None:
    assert formats("en", "UTC").relative("2026-03-10") == "in 1 day"
    assert formats("en", "Asia/Tokyo").relative("2026-03-10") == "in 0 days"
    assert formats("en", "UTC").relative("2026-03-01") == "1 week ago"


@pytest.mark.parametrize(
    ("tag", "seconds", "expected"),
    [
        pytest.param("en", 82800, "23 hours", id="75 23 hours"),
        ("en", 600, "10 minutes"),
        ("en", 5400, "1 hour, 30 minutes"),
        ("fr", 5400, "1\u00a0heure et 30 minutes"),
        ("en", 90061, "1 day, 1 hour"),
        ("en", 3601, "1 hour"),
        ("en", 0, "0 seconds"),
        ("ar", 10800, "3 ساعات"),
        ("en", "45.9", "45 seconds"),
    ],
)
def test_a_duration_is_exact_in_its_two_largest_units(tag: str, seconds: object, expected: str) -> None:
    assert formats(tag).duration(seconds) == expected


@pytest.mark.parametrize("seconds", [-1, 10**12, 10**29, "soon"])
def test_a_duration_that_is_none_is_refused(seconds: object) -> None:
    with pytest.raises(BadValue):
        formats("en").duration(seconds)


@pytest.mark.parametrize(
    ("tag", "items", "style", "expected"),
    [
        ("en", ["a", "b", "c"], "and", "a, b, and c"),
        ("en", ["a", "b"], "or", "a or b"),
        ("en", ["a"], "and", "a"),
        ("en", [], "and", ""),
        ("de", ["a", "b", "c", "d"], "and", "a, b, c und d"),
        ("en", ["a", 1234.5], "and", "a and 1,234.5"),
        pytest.param("es", ["padre", "Isabel"], "and", "padre e Isabel", id="69 y becomes e before i"),
        pytest.param("es", ["padre", "hijo"], "and", "padre e hijo", id="69 and before hi"),
        pytest.param("es", ["agua", "hielo"], "and", "agua y hielo", id="69 but not before hie"),
        pytest.param("es-MX", ["a", "b", "8"], "or", "a, b u 8", id="69 o becomes u before ocho"),
        pytest.param("es", ["siete", "ocho"], "or", "siete u ocho", id="69 and before o"),
        pytest.param("es", ["diez", "doce"], "or", "diez o doce", id="69 and not elsewhere"),
        pytest.param("he", ["א", "Bob"], "and", "א ו-Bob", id="a hyphen before Latin letters in Hebrew"),
        pytest.param("he", ["א", "ב"], "and", "א וב", id="none before Hebrew ones"),
        ("ja", ["a", "b", "c"], "and", "a、b、c"),
        ("zh-Hans", ["a", "b", "c"], "and", "a、b和c"),
        ("ar", ["a", "b", "c"], "and", "a وb وc"),
        ("de", ["a", "b"], "unit", "a, b"),
        ("en", ["{1}", "{0}"], "and", "{1} and {0}"),
    ],
)
def test_a_list_reads_as_a_phrase(tag: str, items: list[object], style: str, expected: str) -> None:
    assert formats(tag).list(items, style) == expected  # type: ignore[arg-type]


def test_what_is_no_list_or_style_is_refused() -> None:
    with pytest.raises(BadValue):
        formats("en").list("abc")
    with pytest.raises(BadValue):
        formats("en").list(["a"], "nor")  # type: ignore[arg-type]
    with pytest.raises(BadValue):
        formats("en").list([{"a": 1}])


@pytest.mark.parametrize(
    ("value", "expected"),
    [("+33612345678", "+33 6 12 34 56 78"), ("+442079460018", "+44 20 7946 0018"), ("call us", "call us")],
)
def test_a_phone_number_is_spaced_for_reading(value: str, expected: str) -> None:
    assert formats("de").phone(value) == expected


def test_sms_formats_have_plain_spaces_and_signs_only_84() -> None:
    french, english, swedish, swiss = (formats(tag, plain=True) for tag in ("fr", "en-US", "sv", "de-CH"))

    assert french.money({"amount": "1234.50", "currency": "EUR"}) == "1 234,50 €"
    assert english.time("2026-03-09T17:05:00Z") == "5:05 PM"
    assert swedish.number(-1234) == "-1 234"
    assert swiss.number(1234567) == "1'234'567"
    assert french.list(["\u00a0a", "b"]) == " a et b"


@given(
    tag=st.sampled_from(["en", "fr", "de", "es", "it", "pl", "pt-BR", "sv", "fr-CA", "de-CH"]),
    number=st.integers(-(10**9), 10**9),
)
def test_no_number_in_an_sms_needs_more_than_gsm7(tag: str, number: int) -> None:
    # Letters of GSM 03.38 that occur in numbers and euros; anything else would cost the sender a second segment.
    allowed = set("0123456789.,' -€")

    shown = formats(tag, plain=True)

    assert set(shown.number(number)) <= allowed
    assert set(shown.money({"amount": str(number), "currency": "EUR"})) <= allowed | set("EUR")


def test_what_was_formatted_in_one_locale_does_not_leak_into_another() -> None:
    value = {"amount": "1234.50", "currency": "EUR"}

    first = [formats(tag).money(value) for tag in ("en", "de", "fr", "en")]

    assert first[0] == first[3] == "€1,234.50"
    assert first[1] == "1.234,50\u00a0€"
    assert formats("fr", plain=True).money(value) != formats("fr").money(value)
