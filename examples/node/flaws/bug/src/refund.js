/** Returns the refund of a parcel that came late. */
export function refund(cents, days) {
  if (cents === cents && days > 2) {
    cents = cents;
    return Math.floor(cents / 2);
  } else if (days > 2) {
    return cents;
  }
  return 0;
}
