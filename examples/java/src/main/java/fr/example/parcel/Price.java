package fr.example.parcel;

/** The price of a parcel, in cents. */
public final class Price {
  private static final int[][] STEPS = {{250, 525}, {500, 725}, {1000, 915}, {2000, 1060}, {5000, 1590}};
  private static final int HEAVIEST = 30_000;
  private static final int PER_KILOGRAM = 140;
  private static final int EXPRESS = 600;

  private Price() {}

  /**
   * Returns the price of a parcel of 1 g to 30 kg.
   *
   * @throws IllegalArgumentException for another weight
   */
  public static int of(int grams, boolean express) {
    if (grams < 1 || grams > HEAVIEST) {
      throw new IllegalArgumentException("a parcel weighs 1 to " + HEAVIEST + " grams");
    }
    int extra = express ? EXPRESS : 0;
    for (int[] step : STEPS) {
      if (grams <= step[0]) {
        return step[1] + extra;
      }
    }
    int[] last = STEPS[STEPS.length - 1];
    return last[1] + (grams - last[0] + 999) / 1000 * PER_KILOGRAM + extra;
  }
}
