package fr.example.parcel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.net.httpserver.HttpServer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ServiceTest {
  @ParameterizedTest
  @CsvSource({
    "GET, /health, , 200",
    "GET, /price, grams=300, 200",
    "GET, /price, grams=many, 400",
    "GET, /price, , 400",
    "POST, /price, grams=300, 405",
    "GET, /other, , 404",
  })
  void answersWithAStatus(String method, String path, String query, int status) {
    assertEquals(status, Service.answer(method, path, query).status());
  }

  @Test
  void answersOverHttp() throws Exception {
    HttpServer server = Service.start(0);
    try {
      URI uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/price?grams=300&express");
      HttpResponse<String> response =
          HttpClient.newHttpClient().send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
      assertEquals(200, response.statusCode());
      assertEquals("{\"cents\":1325}", response.body());
    } finally {
      server.stop(0);
    }
  }
}
