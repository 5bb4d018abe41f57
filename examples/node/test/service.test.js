import assert from "node:assert/strict";
import { test } from "node:test";

import { answer, service } from "../src/service.js";

for (const [method, target, status] of [
  ["GET", "/health", 200],
  ["GET", "/price?grams=300", 200],
  ["GET", "/price?grams=many", 400],
  ["POST", "/price?grams=300", 405],
  ["GET", "/other", 404],
]) {
  test(`${method} ${target} gives ${status}`, () => assert.equal(answer(method, target)[0], status));
}

test("the server answers with JSON", async () => {
  const server = service();
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  try {
    const response = await fetch(`http://127.0.0.1:${server.address().port}/price?grams=300&express`);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { cents: 1325 });
  } finally {
    server.close();
  }
});
