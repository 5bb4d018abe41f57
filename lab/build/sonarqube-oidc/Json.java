package usine.lab.oidc;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A JSON parser, because the server's library is hidden from plugins. Numbers become Double. */
final class Json {
  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  /** Returns the object in a text. Throws IllegalStateException if it is not an object. */
  @SuppressWarnings("unchecked")
  static Map<String, Object> object(String text) {
    try {
      Json json = new Json(text);
      Object value = json.value();
      json.space();
      if (value instanceof Map && json.at == text.length()) {
        return (Map<String, Object>) value;
      }
    } catch (IndexOutOfBoundsException | NumberFormatException e) {
      throw new IllegalStateException("The identity provider's answer is not JSON.", e);
    }
    throw new IllegalStateException("The identity provider's answer is no JSON object.");
  }

  private Object value() {
    space();
    switch (text.charAt(at)) {
      case '{':
        return members();
      case '[':
        return items();
      case '"':
        return string();
      default:
        return word();
    }
  }

  private Map<String, Object> members() {
    Map<String, Object> found = new LinkedHashMap<>();
    at++;
    while (!ends('}')) {
      String name = string();
      space();
      expect(':');
      found.put(name, value());
    }
    return found;
  }

  private List<Object> items() {
    List<Object> found = new ArrayList<>();
    at++;
    while (!ends(']')) {
      found.add(value());
    }
    return found;
  }

  /** Whether the container ends here; skips the separator of its members. */
  private boolean ends(char end) {
    space();
    if (text.charAt(at) == ',') {
      at++;
      space();
    }
    if (text.charAt(at) == end) {
      at++;
      return true;
    }
    return false;
  }

  private String string() {
    expect('"');
    StringBuilder found = new StringBuilder();
    for (char c = text.charAt(at++); c != '"'; c = text.charAt(at++)) {
      found.append(c == '\\' ? escaped() : c);
    }
    return found.toString();
  }

  private char escaped() {
    char c = text.charAt(at++);
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'u':
        at += 4;
        return (char) Integer.parseInt(text.substring(at - 4, at), 16);
      default:
        return c;
    }
  }

  private Object word() {
    int start = at;
    while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) {
      at++;
    }
    String word = text.substring(start, at);
    switch (word) {
      case "true":
        return true;
      case "false":
        return false;
      case "null":
        return null;
      default:
        return Double.valueOf(word);
    }
  }

  private void expect(char c) {
    if (text.charAt(at++) != c) {
      throw new IllegalStateException("The identity provider's answer is not JSON.");
    }
  }

  private void space() {
    while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
      at++;
    }
  }
}
