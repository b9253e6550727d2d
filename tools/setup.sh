#!/usr/bin/env bash
# Make .venv, or bring it up to date: `setup.sh server` with what a service needs, `setup.sh` with the development tools
# too. When nothing has changed this takes milliseconds; when it was interrupted it begins again.
# PYTHON=/path/to/python chooses the interpreter. uv installs where it is there or pip can bring it, else pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1

readonly least="3.11"
readonly env=".venv"
readonly stamp="$env/.photseries-complete"    # what the finished environment was made from
readonly started="$env/.photseries-unfinished" # stands while we work on it
readonly wanted=${1:-dev}

fail() {
    printf 'photseries: %s\n' "$*" >&2
    exit 1
}

# The path counts too: the programs of an environment name it, so a moved checkout needs a new one.
fingerprint() {
    pwd -P
    cksum pyproject.toml constraints.txt tools/setup.sh
}

# The tools for development include the server.
is_current() {
    [ ! -e "$started" ] && [ -e "$stamp" ] && works "$env/bin/python" &&
        { [ "$(printf '%s\ndev' "$(fingerprint)")" = "$(cat "$stamp")" ] ||
            [ "$(printf '%s\n%s' "$(fingerprint)" "$wanted")" = "$(cat "$stamp")" ]; }
}

works() {
    "$1" -c "import sys; sys.exit(sys.version_info < (${least/./, }))" > /dev/null 2>&1
}

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        works "$PYTHON" || fail "PYTHON=$PYTHON is not a Python $least or newer."
        command -v "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python /usr/bin/python3; do
        if works "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python $least or newer was not found. Install it, or name it: make PYTHON=/path/to/python"
}

begin() {
    mkdir -p "$env" && touch "$started" || fail "cannot write in $PWD. Work in a copy of this checkout that is yours."
}

has_pip() {
    "$env/bin/python" -m pip --version > /dev/null 2>&1
}

# Debian leaves ensurepip out of its Python: then any other way to an environment with pip will do.
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
    fail "$python cannot make a virtual environment with pip. Install python3-venv (or virtualenv) and try again."
}

# uv does not read the configuration of pip, so it is told of an index that this names.
index_of_pip() {
    "$env/bin/python" -m pip config list 2> /dev/null | sed -n "s/^[a-z:]*\.index-url='\(.*\)'$/\1/p" | head -n 1 || true
}

# What uv cannot install pip does, once it knows dependency groups.
install() {
    local what=(-c constraints.txt -e '.[server]') attempt uv
    [ "$wanted" = server ] || what+=(--group dev)
    uv=$(command -v uv || { "$env/bin/python" -m pip install -q uv > /dev/null 2>&1 && echo "$env/bin/uv"; } || true)
    if [ -n "$uv" ]; then
        [ -n "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] || UV_DEFAULT_INDEX=$(index_of_pip)
        [ -z "${UV_DEFAULT_INDEX:-}" ] || export UV_DEFAULT_INDEX
        if "$uv" pip install -q -p "$env/bin/python" "${what[@]}"; then return; fi
        echo "photseries: uv could not install the packages; pip does" >&2
    fi
    for attempt in 1 2 3; do
        if "$env/bin/python" -m pip install -q --retries 5 --timeout 60 'pip>=25.1' &&
            "$env/bin/python" -m pip install -q --retries 5 --timeout 60 "${what[@]}"; then return; fi
        [ "$attempt" = 3 ] || { echo "photseries: trying again" && sleep $((attempt * 5)); }
    done
    fail "the packages in pyproject.toml could not be installed; pip says why above."
}

is_current && exit 0

# Two runs at once would work on the same files; where there is no flock they are not kept apart.
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
printf '%s\n%s\n' "$(fingerprint)" "$wanted" > "$stamp"
rm "$started"
