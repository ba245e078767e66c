"""Return paths name their delivery, and nothing else is read as one."""

import random

import pytest

from gateway.domain.ids import make_delivery_id
from gateway.domain.return_paths import named_delivery, return_path
from tests.factories import NOW


def test_a_return_path_names_its_delivery_whatever_became_of_its_letters() -> None:
    delivery_id = make_delivery_id(NOW)

    path = return_path(delivery_id, "bounces.example.com")

    assert path == f"bounce+{delivery_id}@bounces.example.com"
    assert named_delivery(path) == named_delivery(path.upper()) == (delivery_id, "bounces.example.com")


@pytest.mark.parametrize(
    "address",
    ["", "bounce+@b.example", "bounce+dlv_1@b.example", "bounce@b.example", "bounce+msg_" + "0" * 26 + "@b.example"],
)
def test_any_other_address_names_none(address: str) -> None:
    assert named_delivery(address) is None


def test_ids_of_deliveries_come_from_the_system_and_not_from_a_generator_that_can_be_foretold() -> None:
    random.seed(1)
    first = make_delivery_id(NOW)
    random.seed(1)

    assert make_delivery_id(NOW) != first
