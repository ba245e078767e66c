"""What every shipped template folder must hold, read without the gateway (the render matrix is tested elsewhere)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2] / "templates"
FOLDERS = sorted(path.parent for path in ROOT.glob("*/template.toml"))
PARTS = {
    "email": ("email/subject.txt", "email/preheader.txt", "email/body.html", "email/body.txt"),
    "sms": ("sms/body.txt",),
    "push": ("push/title.txt", "push/body.txt"),
}
TYPES = {"string", "integer", "number", "boolean", "date", "datetime", "money", "url", "list", "object"}
EMBRACED = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
TRANSLATED = re.compile(r"\{%-? *trans\b.*?\{%-? *endtrans *-?%\}", re.DOTALL)

every_template = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def read_settings(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "template.toml").read_text(encoding="utf-8"))


def read_parts(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.suffix in {".txt", ".html"})
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


ANSWERS = {"opt-out-confirmation", "opt-in-confirmation", "opt-out-help"}
"""What the gateway itself answers to a text; nobody else sends them."""


def test_the_twelve_templates_ship_and_the_answers_to_texts() -> None:
    names = {folder.name for folder in FOLDERS}

    assert names == {
        *("one-time-code", "new-sign-in-alert"),
        *("order-shipped", "receipt", "appointment-reminder", "double-opt-in"),
        *ANSWERS,
        *("welcome", "engagement-digest", "churn-survey", "win-back-offer", "referral-invitation", "loyalty-tier"),
    }


@every_template
def test_settings_name_what_a_caller_must_know(folder: Path) -> None:
    settings = read_settings(folder)

    assert settings["description"]
    assert settings["category"] in {"critical", "transactional", "marketing"}
    assert settings["category"] != "marketing" or settings["topic"]
    assert settings["strategy"] in {"first", "all"}
    assert settings["channels"]
    assert {variable["type"] for variable in settings["variables"].values()} <= TYPES


@every_template
def test_each_channel_has_all_its_parts_and_no_other(folder: Path) -> None:
    channels = read_settings(folder)["channels"]

    present = {path for path in read_parts(folder) if path.split("/")[0] in PARTS}

    assert present == {part for channel in channels for part in PARTS[channel]}


@every_template
def test_every_declared_variable_is_used(folder: Path) -> None:
    settings = read_settings(folder)
    sources = [*read_parts(folder).values(), settings.get("push", {}).get("action", "")]

    words = {word for source in sources for code in EMBRACED.findall(source) for word in re.findall(r"\w+", code)}

    assert set(settings["variables"]) <= words


@every_template
def test_samples_are_several_complete_and_declared(folder: Path) -> None:
    settings = read_settings(folder)
    variables = settings["variables"]
    required = {name for name, variable in variables.items() if not variable.get("optional", False)}

    samples = settings["samples"]

    assert len(samples) >= (1 if folder.name in ANSWERS else 4)
    for sample in samples.values():
        assert required <= set(sample) <= set(variables)


@every_template
def test_texts_in_samples_keep_within_their_declared_length(folder: Path) -> None:
    settings = read_settings(folder)
    limits = {
        name: variable["max_length"] for name, variable in settings["variables"].items() if "max_length" in variable
    }

    for sample in settings["samples"].values():
        for name in limits.keys() & sample.keys():
            assert len(sample[name]) <= limits[name]


@every_template
def test_a_right_to_left_sample_is_at_hand_where_people_are_named(folder: Path) -> None:
    settings = read_settings(folder)
    names = [sample.get("name", "") for sample in settings["samples"].values()]

    assert "name" not in settings["variables"] or any(re.search("[\u0590-\u06ff]", name) for name in names)


@every_template
def test_words_stand_only_in_translatable_sentences(folder: Path) -> None:
    own = {path: source for path, source in read_parts(folder).items() if path.split("/")[0] in PARTS}

    for path, source in own.items():
        rest = re.sub(r"\{#.*?#\}|<[^>]*>|&\w+;", "", TRANSLATED.sub("", source), flags=re.DOTALL)
        assert not re.search(r"[^\W\d_]", EMBRACED.sub("", rest)), path


@every_template
def test_marketing_and_only_marketing_offers_the_way_out(folder: Path) -> None:
    is_marketing = read_settings(folder)["category"] == "marketing"
    parts = read_parts(folder)

    for suffix in ("html", "txt"):
        layout = f'{{% extends "_layouts/marketing.{suffix}" %}}'
        assert f"email/body.{suffix}" not in parts or (layout in parts[f"email/body.{suffix}"]) is is_marketing
    if "sms/body.txt" in parts and folder.name not in ANSWERS:
        assert ("Reply STOP" in parts["sms/body.txt"]) is is_marketing
