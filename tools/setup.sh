#!/usr/bin/env bash
# Create or update .venv: `setup.sh server` with the dependencies of the service, `setup.sh` also with the development
# tools; or .venv-extras and .venv-hats with the packages of tests that exclude those of .venv.
# Without changes this takes milliseconds; an interrupted run starts again.
# PYTHON=/path/to/python selects the interpreter. uv installs the packages if it is present or pip can install it, else pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1

readonly min_version="3.11"
readonly kind=${1:-dev}
case $kind in
    extras) env=.venv-extras extras=server,lightkurve other='.*' more='pandas<3' ;; # lightkurve decides on the others
    hats) env=.venv-hats extras=server,hats other=python-dateutil== ;; # what reads S3 needs another version
    *) env=.venv extras=server other=none ;;
esac
readonly env extras other more=${more:-}
readonly stamp="$env/.photseries-complete"    # the inputs of the finished environment
readonly started="$env/.photseries-unfinished" # exists during setup

fail() {
    printf 'photseries: %s\n' "$*" >&2
    exit 1
}

# The path is included: the programs of an environment contain it, so a moved checkout needs a new environment.
fingerprint() {
    pwd -P
    cksum pyproject.toml constraints.txt tools/setup.sh
}

# The tools for development include the server.
is_current() {
    [ ! -e "$started" ] && [ -e "$stamp" ] && works "$env/bin/python" &&
        { [ "$(printf '%s\ndev' "$(fingerprint)")" = "$(cat "$stamp")" ] ||
            [ "$(printf '%s\n%s' "$(fingerprint)" "$kind")" = "$(cat "$stamp")" ]; }
}

works() {
    "$1" -c "import sys; sys.exit(sys.version_info < (${min_version/./, }))" > /dev/null 2>&1
}

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        works "$PYTHON" || fail "PYTHON=$PYTHON is not a Python $min_version or newer."
        command -v "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python /usr/bin/python3; do
        if works "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python $min_version or newer was not found. Install it, or name it: make PYTHON=/path/to/python"
}

begin() {
    mkdir -p "$env" && touch "$started" || fail "cannot write in $PWD. Work in a copy of this checkout that you own."
}

has_pip() {
    "$env/bin/python" -m pip --version > /dev/null 2>&1
}

# Debian's Python lacks ensurepip: then try other ways to create an environment with pip.
make_environment() {
    local python=$1
    rm -rf "$env"
    begin
    if "$python" -m venv "$env" > /dev/null 2>&1 && has_pip; then return; fi
    if uv venv -q --seed --clear -p "$python" "$env" > /dev/null 2>&1 && touch "$started" && has_pip; then return; fi
    if "$python" -m virtualenv --clear "$env" > /dev/null 2>&1 && touch "$started" && has_pip; then return; fi
    if "$python" -m venv --clear --without-pip "$env" > /dev/null 2>&1 && touch "$started"; then
        local pip
        for pip in "$python -m pip" pip3 pip; do
            if $pip --python "$env/bin/python" install -q pip > /dev/null 2>&1 && has_pip; then return; fi
        done
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        echo "photseries: installing python3-venv with apt-get"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv > /dev/null
        if "$python" -m venv --clear "$env" && touch "$started" && has_pip; then return; fi
    fi
    fail "$python cannot create a virtual environment with pip. Install python3-venv (or virtualenv) and try again."
}

# uv does not read the configuration of pip: pass it the index configured there.
index_of_pip() {
    "$env/bin/python" -m pip config list 2> /dev/null | sed -n "s/^[a-z:]*\.index-url='\(.*\)'$/\1/p" | head -n 1 || true
}

# If uv fails, pip installs the packages; its version must support dependency groups.
install() {
    local packages=(-c "$env/constraints.txt" -e ".[$extras]") attempt uv
    grep -v "^$other" constraints.txt > "$env/constraints.txt" || true
    [ "$kind" = server ] || packages+=(--group dev)
    [ -z "$more" ] || packages+=("$more")
    uv=$(command -v uv || { "$env/bin/python" -m pip install -q uv > /dev/null 2>&1 && echo "$env/bin/uv"; } || true)
    if [ -n "$uv" ]; then
        [ -n "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] || UV_DEFAULT_INDEX=$(index_of_pip)
        [ -z "${UV_DEFAULT_INDEX:-}" ] || export UV_DEFAULT_INDEX
        if "$uv" pip install -q -p "$env/bin/python" "${packages[@]}"; then return; fi
        echo "photseries: uv could not install the packages; trying pip" >&2
    fi
    for attempt in 1 2 3; do
        if "$env/bin/python" -m pip install -q --retries 5 --timeout 60 'pip>=25.1' &&
            "$env/bin/python" -m pip install -q --retries 5 --timeout 60 "${packages[@]}"; then return; fi
        [ "$attempt" = 3 ] || { echo "photseries: trying again" && sleep $((attempt * 5)); }
    done
    fail "the packages in pyproject.toml could not be installed; see pip's messages above."
}

is_current && exit 0

# A lock prevents concurrent runs; without flock there is no lock.
exec 9< pyproject.toml
if command -v flock > /dev/null; then
    flock 9
    is_current && exit 0
fi

python=$(find_python)
echo "photseries: setting up $env with $("$python" --version) ($python); the first time takes a minute or two"
moved=$([ -e "$stamp" ] && [ "$(head -n 1 "$stamp")" != "$(pwd -P)" ] && echo yes || true)
if [ -e "$started" ] || [ -n "$moved" ] || ! works "$env/bin/python" || ! has_pip; then
    make_environment "$python"
fi
begin
install
printf '%s\n%s\n' "$(fingerprint)" "$kind" > "$stamp"
rm "$started"
