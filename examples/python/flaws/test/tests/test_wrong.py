from parcel.price import price


def test_a_light_parcel_is_free() -> None:
    assert price(1) == 0
