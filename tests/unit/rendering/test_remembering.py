"""What is remembered of templates and catalogs: the newest versions of each, and no more things than agreed."""

from functools import partial

import pytest

from gateway.rendering.remembering import Remembered
from tests.unit.rendering.workbench import Workbench


def test_each_version_is_worked_out_once() -> None:
    made: list[str] = []
    remembered = Remembered[str](10)

    for version in ("1", "1", "2", "1", "2"):
        assert remembered.get("note", version, partial(_made, made, version)) == f"made of {version}"

    assert made == ["1", "2"]


def test_versions_that_were_followed_by_two_others_are_forgotten() -> None:
    made: list[str] = []
    remembered = Remembered[str](10)

    for version in ("1", "2", "3", "2", "1"):
        remembered.get("note", version, partial(_made, made, version))

    assert made == ["1", "2", "3", "1"]
    assert len(remembered) == 2


def test_of_more_things_than_agreed_those_that_were_met_first_are_forgotten() -> None:
    made: list[str] = []
    remembered = Remembered[str](2)

    for thing in ("a", "b", "c", "b", "a"):
        remembered.get(thing, "1", partial(_made, made, thing))

    assert made == ["a", "b", "c", "a"]
    assert len(remembered) == 2


def test_what_could_not_be_worked_out_is_tried_again() -> None:
    remembered = Remembered[str](10)

    with pytest.raises(ZeroDivisionError):
        remembered.get("note", "1", lambda: str(1 // 0))

    assert remembered.get("note", "1", lambda: "made") == "made"


def test_a_template_that_changes_again_and_again_leaves_only_its_newest_versions(bench: Workbench) -> None:
    for number in range(20):
        bench.sms(f"Hello {number}")
        bench.translate("de", {"unused": f"Nummer {number}"})
        assert bench.text({}, "de") == f"Hello {number}"

    kept = (bench.renderer._missing, bench.renderer._typesetter._compiled, bench.renderer._resolved)
    assert all(0 < len(remembered) <= 2 * 2 for remembered in kept)
    assert sum(map(len, bench.renderer._resolved)) <= 2 * 2


def test_languages_that_were_asked_for_once_leave_no_catalogs_behind(bench: Workbench) -> None:
    bench.sms("{% trans %}Hello{% endtrans %}")
    for number, tag in enumerate(("de", "de-AT", "de-CH", "de-LI", "de-LU", "de-BE")):
        bench.translate("de", {"Hello": f"Hallo {number}"})
        assert bench.text({}, tag) == f"Hallo {number}"

    assert sum(map(len, bench.renderer._resolved)) == 2


def _made(made: list[str], of: str) -> str:
    made.append(of)
    return f"made of {of}"
