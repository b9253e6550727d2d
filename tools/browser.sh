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

[ "${1:-}" != --find ] && "$(dirname "$0")/debian.sh" chromium chromium fonts-dejavu-core && exit 0

echo "no browser: install chromium, or name a browser with CHROMIUM=/path/to/chromium" >&2
exit 1
