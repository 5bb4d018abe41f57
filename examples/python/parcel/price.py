"""The price of a parcel, in cents."""

from __future__ import annotations

_STEPS = ((250, 525), (500, 725), (1000, 915), (2000, 1060), (5000, 1590))
_EXPRESS = 600
_HEAVIEST = 30_000
_PER_KILOGRAM = 140


def price(grams: int, *, express: bool = False) -> int:
    """Return the price of a parcel of 1 g to 30 kg. Raises ValueError for another weight."""
    if not 0 < grams <= _HEAVIEST:
        raise ValueError(f"a parcel weighs 1 to {_HEAVIEST} grams, not {grams}")
    extra = _EXPRESS if express else 0
    for most, cents in _STEPS:
        if grams <= most:
            return cents + extra
    most, cents = _STEPS[-1]
    kilograms = -(-(grams - most) // 1000)
    return cents + kilograms * _PER_KILOGRAM + extra
