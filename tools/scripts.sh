#!/bin/sh
# Checks the types of the scripts of the pages, where node is there and npm can be reached.
command -v npx > /dev/null || { echo 'photseries: the scripts of the pages are not checked: there is no node' >&2; exit 0; }
told=$(npx --yes --package=typescript@7 tsc -p "$(dirname "$0")/tsconfig.json" 2>&1) && exit 0
case $told in
*'error TS'*) echo "$told"; exit 1 ;;
*) echo 'photseries: the scripts of the pages are not checked: npm cannot be reached' >&2 ;;
esac
