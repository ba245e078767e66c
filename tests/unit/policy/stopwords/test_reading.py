"""What a text means: the word alone acts, whatever only might mean it goes to a person, and nothing lifts by chance."""

import itertools
import re
import string
import unicodedata
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.stopwords.folding import fold
from gateway.policy.stopwords.lexicon import Meaning, Word, load_lexicon
from gateway.policy.stopwords.reading import read_text

LEXICON = load_lexicon()
ACTING = [word for word in LEXICON.words if word.meaning is not Meaning.UNCLEAR]
STARTS = {word.folded for word in LEXICON.words if word.meaning is Meaning.START}
INVISIBLE = "\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2069\ufeff"
AROUND = st.text(alphabet=" \t\n.,!?…\"'“”«»„()*-_👍🏽🙏❤️" + INVISIBLE, max_size=6)


def home_of(word: Word) -> str | None:
    return next(iter(word.countries), None)


def test_at_least_twenty_languages_can_leave() -> None:
    languages = {language for word in LEXICON.words if word.meaning is Meaning.STOP for language in word.languages}

    assert len(languages) >= 20


@pytest.mark.parametrize("word", ACTING, ids=lambda word: f"{word.meaning}-{word.text}".encode("punycode").decode())
def test_each_word_alone_means_what_the_list_says(word: Word) -> None:
    reading = read_text(word.text, LEXICON, home_of(word))

    assert reading.meaning is word.meaning


@given(word=st.sampled_from(ACTING), before=AROUND, after=AROUND, style=st.sampled_from(["upper", "lower", "title"]))
def test_what_stands_around_a_word_and_its_capitals_change_nothing(
    word: Word, before: str, after: str, style: str
) -> None:
    text = before + getattr(word.text, style)() + after

    assert read_text(text, LEXICON, home_of(word)).meaning is word.meaning


@given(word=st.sampled_from(ACTING), form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_every_normal_form_of_a_word_is_the_word(word: Word, form: Literal["NFC", "NFD", "NFKC", "NFKD"]) -> None:
    assert read_text(unicodedata.normalize(form, word.text), LEXICON, home_of(word)).meaning is word.meaning


@given(word=st.sampled_from([word for word in ACTING if word.text.isascii() and word.text.isalpha()]))
def test_wide_letters_are_letters(word: Word) -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in word.text)

    assert read_text(wide, LEXICON, home_of(word)).meaning is word.meaning


@given(
    word=st.sampled_from([word for word in LEXICON.words if word.meaning is Meaning.STOP and len(word.folded) > 2]),
    sentence=st.lists(st.sampled_from(["hello", "you", "thanks", "merci", "ok"]), min_size=1, max_size=6),
)
def test_a_stop_word_within_a_sentence_is_never_dropped(word: Word, sentence: list[str]) -> None:
    for text in (" ".join([*sentence, word.text]), " ".join([word.text, *sentence])):
        assert read_text(text, LEXICON, home_of(word)).meaning is Meaning.UNCLEAR


@given(st.text(max_size=40))
def test_nothing_but_a_start_word_itself_lifts(text: str) -> None:
    reading = read_text(text, LEXICON, "US")

    if reading.meaning is Meaning.START:
        tokens = fold(text).split()
        assert " ".join(tokens) in STARTS or set(tokens) <= STARTS


@given(
    word=st.sampled_from(sorted(STARTS)),
    letter=st.sampled_from(string.ascii_lowercase),
    data=st.data(),
)
def test_a_misspelt_start_lifts_nothing(word: str, letter: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(word)))
    text = word[:at] + letter + word[at:]

    reading = read_text(text, LEXICON, None)

    assert reading.meaning is not Meaning.START or fold(text) in STARTS


@given(st.text(max_size=200))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "country", "meaning"),
    [
        ("Sotp", "US", Meaning.UNCLEAR),
        ("STO", "US", Meaning.UNCLEAR),
        ("STОP", "US", Meaning.UNCLEAR),  # with a Cyrillic letter
        ("Please start sending less", "US", Meaning.UNCLEAR),
        ("st art", "US", Meaning.UNCLEAR),
        ("🛑", "US", Meaning.UNCLEAR),
        ("leave me alone!!", "US", Meaning.UNCLEAR),
        ("T", "CN", Meaning.STOP),
        ("T", "US", Meaning.UNCLEAR),
        ("N", "AE", Meaning.STOP),
        ("N", "FR", Meaning.UNCLEAR),
        ("回复退订谢谢", "CN", Meaning.UNCLEAR),
        ("Stop stop STOP", "US", Meaning.STOP),
        ("s.t.o.p", "US", Meaning.STOP),
        ("Opt-Out", "US", Meaning.STOP),
        ("لغو ۱۱", "IR", Meaning.STOP),
        ("iptal", "TR", Meaning.STOP),
        ("YES", "US", Meaning.OTHER),
        ("See you tomorrow", "US", Meaning.OTHER),
        ("", "US", Meaning.OTHER),
        ("STOP" + " " * 5_000, "US", Meaning.UNCLEAR),
    ],
    ids=map(str, itertools.count(1)),
)
def test_readings(text: str, country: str, meaning: Meaning) -> None:
    assert read_text(text, LEXICON, country).meaning is meaning


def test_a_word_of_one_language_tells_that_language() -> None:
    assert read_text("退订", LEXICON, None).languages == ("zh",)
    assert read_text("STOP", LEXICON, None).languages == ()


def test_no_spelling_has_two_meanings_and_each_line_has_its_source() -> None:
    assert all(word.source and word.confidence for word in LEXICON.words)
    assert not {word.folded.replace(" ", "") for word in LEXICON.words if word.meaning is Meaning.STOP} & STARTS


def test_the_list_reads_the_same_whenever_it_is_read() -> None:
    assert load_lexicon() == LEXICON


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Stpo", ("STOP",)),  # swapped
        ("Stp", ("STOP",)),  # forgotten
        ("Ttop", ("STOP",)),  # mistaken
        ("Stoop", ("STOP", "STOPP")),  # doubled
        ("now stop please", ("STOP", "STOP PLEASE")),
        ("请退订谢谢", ("退订",)),
    ],
)
def test_one_slip_or_a_word_among_others_is_looked_at_by_a_person(text: str, words: tuple[str, ...]) -> None:
    reading = read_text(text, LEXICON, "US")

    assert (reading.meaning, reading.words) == (Meaning.UNCLEAR, words)


@pytest.mark.parametrize("text", ["Spot", "Stoops", "Tops", "Stopping it", "nonstop", "stopover", "S"])
def test_what_is_more_than_one_slip_away_means_nothing(text: str) -> None:
    assert read_text(text, LEXICON, "US").meaning is Meaning.OTHER


@pytest.mark.parametrize(
    ("text", "word", "languages"),
    [("Parar", "PARAR", ("es", "pt")), ("arrêt", "ARRET", ("fr",)), ("stop", "STOP", ()), ("T", "T", ("zh",))],
)
def test_who_acts_on_a_word_is_told_which_and_whose_it_is(text: str, word: str, languages: tuple[str, ...]) -> None:
    reading = read_text(text, LEXICON, "CN")

    assert (reading.words, reading.languages) == ((word,), languages)


@pytest.mark.parametrize(
    ("text", "folded"),
    [("ST\x00OP", "stop"), ("STOP\r\nNOW", "stop now"), ("a\tb", "a b"), ("١٢", "12"), ("½", "1 2"), ("Ⅳ", "iv")],
)
def test_what_nobody_sees_vanishes_and_what_parts_words_stays_a_space(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{text = "HALT", source = "nobody", confidence = "high"}', "HALT: name one of the sources"),
        ('{text = "HALT", source = "us", confidence = "sure"}', "HALT: name one of the sources"),
        ('{text = "Go!", source = "us", confidence = "high"}', "'go' has two meanings"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(line: str, told: str, tmp_path: Path) -> None:
    start = '{text = "GO", source = "us", confidence = "high"}'
    words = f"[stop]\nwords = [{line}]\n[start]\nwords = [{start}]\n[help]\nwords = []\n[unclear]\nwords = []\n"
    file = tmp_path / "words.toml"
    file.write_text(f'[sources]\nus = "ours"\n{words}', encoding="utf-8")

    with pytest.raises(ValueError, match=re.escape(told)):
        load_lexicon(file)
