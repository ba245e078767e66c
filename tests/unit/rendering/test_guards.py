"""The guards behind the catalogs' own checks, held directly: a catalog that slipped through is caught here."""

import pytest
from babel import Locale

from gateway.localization.plurals import parse_plural_forms
from gateway.localization.snapshots import Catalog, PluralText
from gateway.rendering.budget import MAX_WORK, Budget
from gateway.rendering.compiling import CompiledPart
from gateway.rendering.environment import make_environment
from gateway.rendering.lines import one_line, tidy
from gateway.rendering.localizing import Language, Missing, translate
from gateway.rendering.strings import Marked, Place, Unusable, check, split
from tests.unit.rendering.workbench import Workbench

HI = Marked(context=None, singular="Hi %(name)s", plural=None, names=frozenset({"name"}), html=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * 20_001, "longer than"),
        ("Hi %(name)s\ue000", "U+E000"),
        ("Hi \u202e%(name)s", "does not close"),
        ("Hi %(name)", "lone %"),
        ("Hi %(name)5s", "lone %"),
        ("Hi %s", "lone %"),
        ("Hi %(nom)s", "does not know"),
        ("Hi", "leaves out"),
        ("%(name)s" * 4, "more than twice"),
        ("Hi <b>%(name)s</b>", "other markup"),
        ("Hi %(name)s <!-- x", "other markup"),
    ],
)
def test_a_text_that_cannot_stand_for_its_source_is_unusable(text: str, said: str) -> None:
    with pytest.raises(Unusable, match=said.replace("+", r"\+")):
        check("Hi %(name)s", text, HI)


def test_a_string_is_taken_apart_into_text_and_places() -> None:
    assert split("100%% of %(a)s%(b)s!") == ("100% of ", Place("a"), Place("b"), "!")
    assert split("") == ()


def language(texts: dict[tuple[str | None, str], str | PluralText]) -> Language:
    locale = Locale("de")
    return Language(catalog=Catalog(locale=locale, tag="de", version="1", is_source=False, texts=texts), locale=locale)


def test_an_unusable_text_counts_as_missing_and_says_why() -> None:
    with pytest.raises(Missing, match=r"Hi %\(name\)s \(leaves out"):
        translate(HI, language({(None, "Hi %(name)s"): "Hallo"}))


def test_a_plural_of_another_source_is_missing() -> None:
    marked = Marked(context=None, singular="a", plural="b", names=frozenset({"num"}), html=False)
    forms = parse_plural_forms("nplurals=2; plural=(n != 1);")

    with pytest.raises(Missing):
        translate(marked, language({(None, "a"): PluralText(msgid_plural="c", texts=("x", "y"), forms=forms)}))


def test_remembered_plural_forms_stay_within_bounds() -> None:
    part = CompiledPart(make_environment(escapes=False), [], [lambda count: count % 2], "part")

    assert [part.form(0, count) for count in range(2_500)] == [count % 2 for count in range(2_500)]


def test_work_is_paid_for_until_nothing_is_left() -> None:
    budget = Budget()
    budget.spend(MAX_WORK - 1)

    with pytest.raises(Exception, match="more work than a message may"):
        budget.spend(0)


def test_nothing_can_be_called_and_nothing_else_exists_in_the_sandbox() -> None:
    for escapes in (True, False):
        environment = make_environment(escapes=escapes)

        assert environment.autoescape is escapes
        assert environment.globals == {}
        assert not environment.is_safe_callable(len)
        assert set(environment.tests) == {"defined", "undefined", "none"}


def test_lines_are_one_or_tidy() -> None:
    assert one_line(" a\r\n\x85\u2028 b\t\x00c ") == "a b c"
    assert tidy("\n a \r\nb\t\n\n\n\nc\n") == "a\nb\n\nc"


def test_secrets_are_masked_in_what_is_kept_and_real_in_what_is_sent(bench: Workbench) -> None:
    variables = 'code = {type = "string", secret = true}'
    bench.sms("{% trans %}{{ code }} is your code.{% endtrans %}", variables, 'code = "4711"')

    assert bench.text({"code": "4711"}) == "4711 is your code."
    assert bench.text({"code": "••••"}) == "•••• is your code."


def test_what_is_formatted_twice_is_formatted_alike_and_types_do_not_mix(bench: Workbench) -> None:
    body = "{{ a|number }} {{ a|number }} {{ b|number }} {{ c|number }} {{ names|list }} {{ names|list('or') }}"
    variables = 'a = {type = "number"}\nb = {type = "number"}\nc = {type = "number"}\nnames = {type = "list"}'
    bench.sms(body, variables, 'a = 1\nb = 1.0\nc = "1"\nnames = ["x", "y"]')

    assert bench.text() == "1 1 1 1 x and y x or y"


def test_two_languages_in_turn_leave_nothing_in_each_other(bench: Workbench) -> None:
    bench.write("_layouts/greeting.txt", "{% set hello = _('Hello') %}{{ hello }}")
    bench.sms("{% include '_layouts/greeting.txt' %} {{ n|number }}", 'n = {type = "number"}', "n = 1")
    bench.translate("fr", {"Hello": "Bonjour"})
    bench.translate("de", {"Hello": "Hallo"})

    shown = [bench.text({"n": 1234.5}, tag) for tag in ("de", "fr", "de", "en", "fr")]

    assert shown == ["Hallo 1.234,5", "Bonjour 1 234,5", "Hallo 1.234,5", "Hello 1,234.5", "Bonjour 1 234,5"]


def test_written_out_values_are_shown(bench: Workbench) -> None:
    bench.email("<p>{{ '<b>' }} {{ 7 }}</p>", subject="{{ 'Subject' }}")

    assert "<p>&lt;b&gt; 7</p>" in bench.html({})


def test_the_pin_names_the_catalogs_version(bench: Workbench) -> None:
    bench.sms("x")
    bench.load()
    before = bench.renderer.pin().version

    bench.translate("de", {"x": "y"})
    bench.load()

    assert bench.renderer.pin().version != before


def test_an_unknown_zone_fails_as_a_render(bench: Workbench) -> None:
    bench.sms("Hello")

    with pytest.raises(Exception, match="Nowhere"):
        bench.text({}, timezone="Nowhere/At all")
