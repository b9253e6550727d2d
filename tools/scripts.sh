#!/bin/sh
# Check the types of the scripts of the pages, if node is installed and npm is reachable.
command -v npx > /dev/null || { echo 'photseries: the scripts of the pages are not checked: node is not installed' >&2; exit 0; }
output=$(npx --yes --package=typescript@7 tsc -p "$(dirname "$0")/tsconfig.json" 2>&1) && exit 0
case $output in
*'error TS'*) echo "$output"; exit 1 ;;
*) echo 'photseries: the scripts of the pages are not checked: npm is unreachable' >&2 ;;
esac
