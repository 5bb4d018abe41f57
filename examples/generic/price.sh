#!/bin/sh
# Prints the price of a parcel in cents: price.sh GRAMS [express]
set -eu

grams=${1:-}
case "$grams" in
  "" | *[!0-9]*) echo "usage: price.sh GRAMS [express]" >&2; exit 2 ;;
esac
if [ "$grams" -lt 1 ] || [ "$grams" -gt 30000 ]; then
  echo "a parcel weighs 1 to 30000 grams" >&2
  exit 1
fi
cents=
while read -r most price; do
  if [ -z "$cents" ] && [ "$grams" -le "$most" ]; then cents=$price; fi
  last=$most
  dearest=$price
done < "$(dirname "$0")/tariff"
if [ -z "$cents" ]; then cents=$((dearest + (grams - last + 999) / 1000 * 140)); fi
if [ "${2:-}" = express ]; then cents=$((cents + 600)); fi
echo "$cents"
