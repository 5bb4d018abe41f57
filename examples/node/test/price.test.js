import assert from "node:assert/strict";
import { test } from "node:test";

import { price } from "../src/price.js";

for (const [grams, cents] of [[1, 525], [250, 525], [251, 725], [5000, 1590], [5001, 1730]]) {
  test(`${grams} grams cost ${cents} cents`, () => assert.equal(price(grams), cents));
}

test("express costs more", () => assert.equal(price(100, true), price(100) + 600));

for (const grams of [0, -1, 30_001, Number.NaN]) {
  test(`${grams} grams are refused`, () => assert.throws(() => price(grams), RangeError));
}
