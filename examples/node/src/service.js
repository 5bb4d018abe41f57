import { createServer } from "node:http";

import { price } from "./price.js";

/** Returns the status and the content for a request. */
export function answer(method, target) {
  const url = new URL(target, "http://localhost");
  if (url.pathname === "/health") return [200, { status: "ok" }];
  if (url.pathname !== "/price") return [404, { error: "no such page" }];
  if (method !== "GET") return [405, { error: "only GET" }];
  try {
    return [200, { cents: price(Number(url.searchParams.get("grams")), url.searchParams.has("express")) }];
  } catch (error) {
    return [400, { error: error.message }];
  }
}

/** Returns the server, which does not listen yet. */
export function service() {
  return createServer((request, response) => {
    const [status, content] = answer(request.method, request.url);
    response.writeHead(status, { "Content-Type": "application/json", "X-Content-Type-Options": "nosniff" });
    response.end(JSON.stringify(content));
  });
}
