"""What `heliograph templates preview` says beside the text."""

from gateway.cli.output import missing_note


def test_a_preview_in_another_language_names_each_text_that_is_missing() -> None:
    note = missing_note({"requested": "nl", "resolved": "en", "missing": ["nl: Hello,", "nl: Total"]})

    assert note.splitlines() == ["Shown in en, because these texts are missing:", "  nl: Hello,", "  nl: Total"]
