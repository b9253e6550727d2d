#!/usr/bin/env bash
# Print the path of a Chromium-based browser for the tests of the pages. If none is found, root installs Debian's with
# apt-get. CHROMIUM=/path/to/chromium selects a browser; --find installs nothing.
set -euo pipefail

find_browser() {
    local candidate
    for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
        if [ -n "$candidate" ] && command -v "$candidate"; then return; fi
    done
    return 1
}

find_browser && exit 0

if [ "${1:-}" != --find ] && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "photseries: installing chromium with apt-get, for the tests of the pages" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        chromium fonts-dejavu-core; } > /dev/null || true
    find_browser && exit 0
fi

echo "no browser: install chromium (on Debian and Ubuntu: apt-get install chromium), or name one with CHROMIUM=" >&2
exit 1
