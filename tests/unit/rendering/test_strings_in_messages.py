"""Translations in their place: plurals, contexts, fallback of the whole message, and what a bad one may not do."""

import pytest

from gateway.domain.recipients import Channel
from gateway.errors import RenderFailed
from gateway.localization.pseudo import make_pseudo_catalog
from gateway.rendering.localizing import Language
from gateway.rendering.renderer import LocaleResolution, RenderInput
from tests.unit.rendering.workbench import LINK, NOW, Workbench

ITEMS = "{% trans count=n, shown=n|number %}{{ shown }} item{% pluralize count %}{{ shown }} items{% endtrans %}"
ITEM_FORMS = {"%(shown)s item": "%(shown)s items"}


def test_russian_takes_the_form_that_cldr_says(bench: Workbench) -> None:
    bench.sms(ITEMS, 'n = {type = "integer"}', "n = 1")
    forms = ["%(shown)s товар", "%(shown)s товара", "%(shown)s товаров"]
    bench.translate("ru", {"%(shown)s item": forms}, ITEM_FORMS)

    shown = [bench.text({"n": n}, "ru") for n in (1, 2, 5, 11, 21, 111)]

    assert shown == ["1 товар", "2 товара", "5 товаров", "11 товаров", "21 товар", "111 товаров"]


def test_arabic_has_six_forms_and_japanese_one(bench: Workbench) -> None:
    bench.sms(ITEMS, 'n = {type = "integer"}', "n = 1")
    bench.translate("ar", {"%(shown)s item": [f"{form} %(shown)s" for form in "abcdef"]}, ITEM_FORMS)
    bench.translate("ja", {"%(shown)s item": ["%(shown)s 点"]}, ITEM_FORMS)

    arabic = [bench.text({"n": n}, "ar")[0] for n in (0, 1, 2, 3, 11, 100, 102, 103)]

    assert "".join(arabic) == "abcdeffd"
    assert bench.text({"n": 1}, "ja") == "1 点"


def test_the_number_shown_is_formatted_and_the_form_is_chosen_by_the_integer(bench: Workbench) -> None:
    bench.sms(ITEMS, 'n = {type = "integer"}', "n = 1")
    bench.translate("de", {"%(shown)s item": ["%(shown)s Artikel", "%(shown)s neue Artikel"]}, ITEM_FORMS)

    assert bench.text({"n": 1234567}, "de") == "1.234.567 neue Artikel"


def test_a_form_for_one_number_may_leave_the_number_out(bench: Workbench) -> None:
    bench.sms(ITEMS, 'n = {type = "integer"}', "n = 1")
    bench.translate("de", {"%(shown)s item": ["Ein Artikel", "%(shown)s Artikel"]}, ITEM_FORMS)

    assert [bench.text({"n": n}, "de") for n in (1, 3)] == ["Ein Artikel", "3 Artikel"]


def test_num_stands_for_the_count_where_nothing_is_bound_to_it(bench: Workbench) -> None:
    bench.sms('{{ ngettext("%(num)s day", "%(num)s days", n) }}', 'n = {type = "integer"}', "n = 1")

    assert bench.text({"n": 1}) == "1 day"
    assert bench.text({"n": 2}) == "2 days"


def test_an_incomplete_plural_makes_the_whole_message_fall_back(bench: Workbench) -> None:
    bench.sms("{% trans %}Hello{% endtrans %}, " + ITEMS, 'n = {type = "integer"}', "n = 1")
    bench.translate(
        "ru", {"Hello": "Привет", "%(shown)s item": ["%(shown)s товар", "%(shown)s товара", ""]}, ITEM_FORMS
    )

    assert bench.text({"n": 1}, "ru") == "Hello, 1 item"
    assert bench.resolve("ru").missing == ("ru: %(shown)s item",)


def test_a_regional_catalog_inherits_string_by_string_from_its_language(bench: Workbench) -> None:
    bench.sms("{% trans %}Hello{% endtrans %} {% trans %}Weekend{% endtrans %}")
    bench.translate("fr", {"Hello": "Bonjour", "Weekend": "Week-end"})
    bench.translate("fr_CA", {"Weekend": "Fin de semaine"})

    assert bench.text({}, "fr-CA") == "Bonjour Fin de semaine"
    assert bench.resolve("fr-CA").resolved == "fr-CA"


def test_one_language_over_all_channels_even_where_one_channel_alone_would_do(bench: Workbench) -> None:
    bench.write("note/template.toml", _two_channels())
    bench.write("note/sms/body.txt", "{% trans %}Hello{% endtrans %}")
    bench.write("note/push/title.txt", "{% trans %}News{% endtrans %}")
    bench.write("note/push/body.txt", "{% trans %}Hello{% endtrans %}")
    bench.translate("de", {"Hello": "Hallo"})

    assert bench.text({}, "de") == "Hello"
    assert bench.resolve("de").missing == ("de: News",)
    assert [fallback.reason for fallback in bench.fallbacks][:1] == ["News"]


def _two_channels() -> str:
    return """
description = "Two channels"
category = "transactional"
channels = ["sms", "push"]
"""


def test_chinese_in_the_other_script_is_never_served(bench: Workbench) -> None:
    bench.sms("{% trans %}Hello{% endtrans %}")
    bench.translate("zh_Hans", {"Hello": "你好"})

    assert bench.text({}, "zh-TW") == "Hello"


def test_the_recipients_language_decides_and_none_means_the_default(bench: Workbench) -> None:
    bench.sms("{% trans %}Hello{% endtrans %}")
    bench.translate("fr", {"Hello": "Bonjour"})

    assert bench.text({}, "fr-BE") == "Bonjour"
    assert bench.text({}, None) == "Hello"
    assert bench.resolve(None).requested is None


def test_contexts_tell_equal_strings_apart(bench: Workbench) -> None:
    bench.sms('{{ pgettext("nav", "Guide") }} {{ _("Guide") }} {% trans "menu" %}Guide{% endtrans %}')
    bench.translate("de", {"nav|Guide": "Navigation", "Guide": "Leitfaden", "menu|Guide": "Speisekarte"})

    assert bench.text({}, "de") == "Navigation Leitfaden Speisekarte"


def test_a_plural_with_a_context_takes_its_own_forms(bench: Workbench) -> None:
    body = '{{ npgettext("parcel", "%(num)s item", "%(num)s items", n) }}'
    bench.sms(body, 'n = {type = "integer"}', "n = 1")
    forms = {"parcel|%(num)s item": ["%(num)s Stück", "%(num)s Stücke"]}
    bench.translate("de", forms, {"parcel|%(num)s item": "%(num)s items"})

    assert bench.text({"n": 4}, "de") == "4 Stücke"


@pytest.mark.parametrize(
    "bad",
    [
        "Salut %(nom)s",
        "Salut",
        "100% %(name)s",
        "%(name)900000000s",
        "<b>%(name)s</b>",
        "%(name)s" * 9,
        "\u202e%(name)s",
    ],
    ids=["unknown name", "name left out", "lone percent", "width bomb", "markup", "repetition", "override"],
)
def test_a_bad_translation_counts_as_missing_and_never_fails_a_send(bench: Workbench, bad: str) -> None:
    bench.sms("{% trans %}Hi {{ name }}{% endtrans %}", 'name = {type = "string"}', 'name = "Amina"')
    bench.translate("fr", {"Hi %(name)s": bad})

    assert bench.text(None, "fr") == "Hi Amina"
    assert bench.resolve("fr").resolved == "en"


def test_a_percent_sign_is_written_as_it_reads(bench: Workbench) -> None:
    bench.sms('{% trans %}100% sure{% endtrans %} {{ _("50%% off") }}')
    bench.translate("de", {"100%% sure": "100%% sicher", "50%% off": "50 %% Rabatt"})

    assert bench.text({}, "de") == "100% sicher 50 % Rabatt"
    assert bench.text({}) == "100% sure 50% off"


def test_a_lone_percent_sign_in_a_source_is_refused_with_its_cure(bench: Workbench) -> None:
    bench.sms('{{ _("Price: 50% off") }}')

    assert "write %% for a percent sign" in bench.problem()


def test_values_are_literal_whatever_they_look_like(bench: Workbench) -> None:
    bench.sms("{% trans %}Hi {{ name }}{% endtrans %}", 'name = {type = "string"}', 'name = "Amina"')

    for value in ("%(password)s", "{{ 7*7 }}", "{% if %}", "100%", "O'Brien & <Co>"):
        assert bench.text({"name": value}) == f"Hi {value}"


def test_strings_are_trimmed_like_the_extractor_trims_them(bench: Workbench) -> None:
    bench.sms("{% trans %}\n  Two\n  lines\n{% endtrans %}")
    bench.translate("de", {"Two lines": "Zwei Zeilen"})

    assert bench.text({}, "de") == "Zwei Zeilen"


def test_a_field_inside_trans_is_refused_with_its_cure(bench: Workbench) -> None:
    bench.sms("{% trans %}Hi {{ user.name }}{% endtrans %}", "user = {type = 'object'}", "user = {}")

    assert "{% trans name=user.name %}" in bench.problem()


def test_a_locales_own_part_stands_in_without_a_catalog_of_its_own(bench: Workbench) -> None:
    bench.sms("{% trans %}Hello{% endtrans %}")
    bench.write("note/fr-CA/sms/body.txt", "Allô, {% trans %}friend{% endtrans %}")
    bench.translate("fr", {"Hello": "Bonjour", "friend": "l'ami"})

    assert bench.text({}, "fr-CA") == "Allô, l'ami"
    assert bench.text({}, "fr") == "Bonjour"


def test_a_locales_own_part_without_any_catalog_needs_no_strings(bench: Workbench) -> None:
    bench.sms("{% trans %}Hello{% endtrans %}")
    bench.write("note/nl/sms/body.txt", "Hallo")
    bench.write("note/da/sms/body.txt", "{% trans %}Hello{% endtrans %}")

    assert bench.text({}, "nl") == "Hallo"
    assert bench.text({}, "da") == "Hello"


def test_a_translated_string_can_stand_in_an_expression(bench: Workbench) -> None:
    body = '{% set who = name|default(_("friend")) %}{% trans %}Hi {{ who }}{% endtrans %}'
    bench.sms(body, 'name = {type = "string", optional = true}')
    bench.translate("de", {"friend": "du", "Hi %(who)s": "Hallo %(who)s"})

    assert bench.text({}, "de") == "Hallo du"
    assert bench.text({"name": "Bo"}, "de") == "Hallo Bo"


def test_a_plural_can_stand_in_an_expression(bench: Workbench) -> None:
    body = '{% set text = ngettext("%(num)s day", "%(num)s days", n) %}[{{ text }}]'
    bench.sms(body, 'n = {type = "integer"}', "n = 1")
    bench.translate(
        "ru", {"%(num)s day": ["%(num)s день", "%(num)s дня", "%(num)s дней"]}, {"%(num)s day": "%(num)s days"}
    )

    assert [bench.text({"n": n}, "ru") for n in (21, 3, 5)] == ["[21 день]", "[3 дня]", "[5 дней]"]


def test_a_language_that_fails_for_the_data_gives_way_to_the_next(bench: Workbench) -> None:
    bench.sms("{% trans %}Hello{% endtrans %}")
    bench.write("note/de/sms/body.txt", "{{ recipient.nickname }}")
    bench.translate("de", {"Hello": "Hallo"})
    bench.load()

    shown = bench.text({}, "de")

    assert shown == "Hello"
    assert [(fallback.locale, fallback.channel) for fallback in bench.fallbacks] == [("de", Channel.SMS)]


def test_only_the_default_language_may_fail_for_good(bench: Workbench) -> None:
    bench.sms(
        "{% if flag %}{{ recipient.nickname }}{% else %}Hi{% endif %}", 'flag = {type = "boolean"}', "flag = false"
    )

    with pytest.raises(RenderFailed, match="nickname"):
        bench.text({"flag": True})


def test_a_resolution_without_languages_is_refused(bench: Workbench) -> None:
    bench.sms("Hello")
    bench.load()
    pin = bench.renderer.pin()
    given = RenderInput(data={}, recipient={}, timezone="UTC", now=NOW, unsubscribe_url=LINK, preferences_url=LINK)

    resolution = LocaleResolution(requested=None, resolved="en")

    with pytest.raises(RenderFailed):
        bench.renderer.render(pin, pin.templates.template("note"), Channel.SMS, resolution, given)


@pytest.mark.parametrize(("tag", "letter"), [("en-XA", "Ĥ"), ("ar-XB", "\u202e")])
def test_pseudo_locales_show_every_string_distorted(bench: Workbench, tag: str, letter: str) -> None:
    bench.sms("{% trans %}Hello{% endtrans %} " + ITEMS, 'n = {type = "integer"}', "n = 1")
    bench.load()
    pin = bench.renderer.pin()
    catalog = make_pseudo_catalog(tag)
    language = Language(catalog=catalog, locale=catalog.locale)
    resolution = LocaleResolution(requested=tag, resolved=tag, languages=(language,))
    given = RenderInput(
        data={"n": 2}, recipient={}, timezone="UTC", now=NOW, unsubscribe_url=LINK, preferences_url=LINK
    )

    content = bench.renderer.render(pin, pin.templates.template("note"), Channel.SMS, resolution, given)

    assert content.text.count(letter) >= 1 + (tag == "ar-XB")  # type: ignore[union-attr]
    assert "2 items" not in content.text  # type: ignore[union-attr]
