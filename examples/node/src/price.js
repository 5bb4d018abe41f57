const STEPS = [[250, 525], [500, 725], [1000, 915], [2000, 1060], [5000, 1590]];
const HEAVIEST = 30_000;

/** Returns the price in cents of a parcel of 1 g to 30 kg. Throws a RangeError for another weight. */
export function price(grams, express = false) {
  if (!Number.isInteger(grams) || grams < 1 || grams > HEAVIEST) {
    throw new RangeError(`a parcel weighs 1 to ${HEAVIEST} grams`);
  }
  const extra = express ? 600 : 0;
  for (const [most, cents] of STEPS) {
    if (grams <= most) return cents + extra;
  }
  const [most, cents] = STEPS.at(-1);
  return cents + Math.ceil((grams - most) / 1000) * 140 + extra;
}
