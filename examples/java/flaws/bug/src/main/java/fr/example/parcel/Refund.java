package fr.example.parcel;

/** What a sender gets back. */
public final class Refund {
  private Refund() {}

  /** Returns the refund of a parcel that came late. */
  public static int of(int cents, int days) {
    if (cents == cents && days > 2) {
      cents = cents;
      return cents / 2;
    }
    if (days > 2) {
      return cents;
    }
    return 0;
  }
}
