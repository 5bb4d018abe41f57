package fr.example.parcel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class WrongTest {
  @Test
  void aLightParcelIsFree() {
    assertEquals(0, Price.of(1, false));
  }
}
