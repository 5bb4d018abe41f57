import pytest
from parcel.price import price


@pytest.mark.parametrize(("grams", "cents"), [(1, 525), (250, 525), (251, 725), (5000, 1590), (5001, 1730)])
def test_price_follows_the_weight(grams: int, cents: int) -> None:
    assert price(grams) == cents


def test_express_costs_more() -> None:
    assert price(100, express=True) == price(100) + 600


@pytest.mark.parametrize("grams", [0, -1, 30_001])
def test_a_weight_out_of_range_is_refused(grams: int) -> None:
    with pytest.raises(ValueError, match="grams"):
        price(grams)
