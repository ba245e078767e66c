"""The table of what each provider can do says what the adapters say of themselves."""

from tests.features import make_table, standing_table


async def test_the_table_of_features_is_the_one_that_is_generated() -> None:
    assert standing_table() == await make_table(), "python -m tests.features writes it anew"
