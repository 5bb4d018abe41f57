import assert from "node:assert/strict";
import { test } from "node:test";

import { price } from "../src/price.js";

test("a light parcel is free", () => assert.equal(price(1), 0));
