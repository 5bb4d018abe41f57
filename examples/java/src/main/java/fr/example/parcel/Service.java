package fr.example.parcel;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import org.apache.commons.text.StringEscapeUtils;

/** Answers GET /price?grams=1200 with JSON. */
public final class Service {
  /** A status and its content. */
  public record Answer(int status, String json) {}

  private Service() {}

  /** Returns the answer to a request; the query may be null. */
  public static Answer answer(String method, String path, String query) {
    if (path.equals("/health")) {
      return new Answer(200, "{\"status\":\"ok\"}");
    }
    if (!path.equals("/price")) {
      return new Answer(404, error("no such page"));
    }
    if (!method.equals("GET")) {
      return new Answer(405, error("only GET"));
    }
    boolean express = false;
    String grams = "";
    for (String part : (query == null ? "" : query).split("&")) {
      express |= part.startsWith("express");
      grams = part.startsWith("grams=") ? part.substring("grams=".length()) : grams;
    }
    try {
      return new Answer(200, "{\"cents\":" + Price.of(Integer.parseInt(grams), express) + "}");
    } catch (IllegalArgumentException wrong) {
      return new Answer(400, error(wrong.getMessage()));
    }
  }

  private static String error(String text) {
    return "{\"error\":\"" + StringEscapeUtils.escapeJson(text) + "\"}";
  }

  /** Starts the service on a port; 0 takes any. */
  public static HttpServer start(int port) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
    server.createContext("/", Service::reply);
    server.start();
    return server;
  }

  private static void reply(HttpExchange exchange) throws IOException {
    Answer answer =
        answer(exchange.getRequestMethod(), exchange.getRequestURI().getPath(), exchange.getRequestURI().getQuery());
    byte[] body = answer.json().getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
    exchange.sendResponseHeaders(answer.status(), body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  /** Starts the service on port 8080. */
  public static void main(String[] arguments) throws IOException {
    start(8080);
  }
}
