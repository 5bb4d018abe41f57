package fr.example.parcel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PriceTest {
  @ParameterizedTest
  @CsvSource({"1, 525", "250, 525", "251, 725", "5000, 1590", "5001, 1730"})
  void followsTheWeight(int grams, int cents) {
    assertEquals(cents, Price.of(grams, false));
  }

  @Test
  void expressCostsMore() {
    assertEquals(Price.of(100, false) + 600, Price.of(100, true));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, 30_001})
  void refusesAWeightOutOfRange(int grams) {
    assertThrows(IllegalArgumentException.class, () -> Price.of(grams, false));
  }
}
