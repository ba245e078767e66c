import io
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.bulk.rows import Cell, Format, format_of, read_rows, write_rows

COLUMNS = {"id": Cell.TEXT, "email": Cell.TEXT, "attributes": Cell.JSON}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
people = st.fixed_dictionaries(
    {"id": texts.filter(str.strip)},
    optional={"email": texts, "attributes": st.dictionaries(texts, texts | st.integers() | st.booleans(), min_size=1)},
)


@pytest.mark.parametrize("written", Format)
@given(people=st.lists(people, max_size=4))
def test_what_is_written_reads_the_same(written: Format, people: list[dict[str, Any]]) -> None:
    file = io.StringIO(newline="")
    write_rows(file, written, COLUMNS)(people)
    file.seek(0)

    rows = list(read_rows(file, written, COLUMNS))

    assert [row.value for row in rows] == people


def read(text: str, written: Format = Format.CSV) -> list[tuple[int, Any]]:
    rows = read_rows(io.StringIO(text, newline=""), written, COLUMNS)
    return [(row.line, row.value if row.problem is None else (row.problem.field, row.problem.code)) for row in rows]


def test_a_row_is_known_by_the_line_on_which_it_begins() -> None:
    assert read('id,email\n"a\nb",x\n\nc,y\n') == [(2, {"id": "a\nb", "email": "x"}), (5, {"id": "c", "email": "y"})]


def test_a_bad_row_is_told_and_the_next_one_is_read() -> None:
    assert read('id,attributes\na,{"x"\nb,c,d\ne,"{}"\n') == [
        (2, ("attributes", "malformed_json")),
        (3, ("", "too_long")),
        (4, {"id": "e", "attributes": {}}),
    ]
    assert read('{"id": "a"}\n[1]\n{"id"\n', Format.NDJSON) == [
        (1, {"id": "a"}),
        (2, ("", "wrong_type")),
        (3, ("", "malformed_json")),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_are_parted_as_spreadsheets_do_and_members_have_columns_of_their_own(delimiter: str) -> None:
    text = "\n".join(
        delimiter.join(cells) for cells in (("id", "attributes.tier", "attributes.since"), ("a", "gold", ""))
    )

    assert read(text) == [(2, {"id": "a", "attributes": {"tier": "gold"}})]


def test_bytes_that_are_no_utf_8_are_their_rows_own_fault() -> None:
    file = io.TextIOWrapper(io.BytesIO(b"id,email\na,\xe9\nb,c\n"), "utf-8-sig", "surrogateescape", newline="")

    bad, good = read_rows(file, Format.CSV, COLUMNS)

    assert bad.problem is not None
    assert (bad.problem.code, good.value) == ("wrong_encoding", {"id": "b", "email": "c"})


@pytest.mark.parametrize(("header", "told"), [("id,mail", "no column 'mail'"), ("id,id", "twice"), ("id,id.x", "id.x")])
def test_a_header_that_is_wrong_stops_before_the_first_row(
    header: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as stopped:
        read(f"{header}\na,b\n")

    assert stopped.value.exit_code == 2
    assert told in capsys.readouterr().err


def test_the_format_is_what_the_name_says_unless_it_is_given() -> None:
    assert [format_of("a.CSV", None), format_of("b.jsonl", None), format_of("c.txt", Format.CSV)] == [
        Format.CSV, Format.NDJSON, Format.CSV,
    ]  # fmt: skip
    with pytest.raises(typer.Exit):
        format_of("d.txt", None)


def test_a_quote_that_nobody_closes_takes_no_row_with_it_unseen() -> None:
    assert read('id,email\na,b\nc,"d\ne,f\n') == [(2, {"id": "a", "email": "b"}), (3, ("", "malformed_csv"))]


def test_a_column_of_a_member_adds_to_the_column_of_the_whole_in_either_order() -> None:
    expected = [(2, {"id": "a", "attributes": {"x": 1, "tier": "gold"}})]

    assert read('id,attributes,attributes.tier\na,"{""x"": 1}",gold\n') == expected
    assert read('id,attributes.tier,attributes\na,gold,"{""x"": 1}"\n') == expected


@pytest.mark.parametrize("text", ['{"id": "a", "id": "b"}', '{"id": NaN}', '{"id": -Infinity}'])
def test_what_one_parser_takes_and_another_refuses_is_refused(text: str) -> None:
    assert read(text, Format.NDJSON) == [(1, ("", "malformed_json"))]


def test_a_header_that_is_no_record_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        read('"id\na\n')

    assert "line 1" in capsys.readouterr().err
