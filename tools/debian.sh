#!/usr/bin/env bash
# Print the path of a program that the tests need: debian.sh PROGRAM PACKAGE ... One that is missing is installed when
# apt-get may be used.
set -euo pipefail
readonly program=$1
shift
export PATH="$PATH:/usr/sbin:/sbin"

command -v "$program" && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "photseries: installing $* with apt-get, for the tests" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"; } \
        > /dev/null || true
    command -v "$program" && exit 0
fi

echo "no $program: install $* (on Debian and Ubuntu: apt-get install $*)" >&2
exit 1
