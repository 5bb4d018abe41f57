#!/bin/sh
# Runs each case of tests/*.txt (input => expected output) and writes junit.xml.
set -eu
cd "$(dirname "$0")"
count=0 failed=0 cases=
for file in tests/*.txt; do
  while IFS='=' read -r input expected; do
    # The input is words: grams, and perhaps express.
    # shellcheck disable=SC2086
    found=$(./price.sh $input 2>&1) || true
    count=$((count + 1))
    if [ "$found" = "$expected" ]; then
      echo "ok   $input"
      cases="$cases<testcase classname=\"price\" name=\"$input\"/>"
    else
      echo "FAIL $input: $found, expected $expected"
      failed=$((failed + 1))
      cases="$cases<testcase classname=\"price\" name=\"$input\"><failure message=\"$found\"/></testcase>"
    fi
  done < "$file"
done
printf '<testsuite name="price" tests="%s" failures="%s">%s</testsuite>\n' "$count" "$failed" "$cases" > junit.xml
echo "$count cases, $failed failed"
[ "$failed" -eq 0 ]
