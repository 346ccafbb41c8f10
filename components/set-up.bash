# What ./run and ./test do before anything else: packages, the Python environment, components.
# Sourced with `root` set to the repository's folder; every step does nothing where it is done.
# shellcheck disable=SC2034,SC2154

readonly PACKAGES=(busybox-static ca-certificates e2fsprogs haproxy iproute2 iptables mount nftables procps python3 python3-venv runc skopeo)
readonly POLICY=/usr/sbin/policy-rc.d

say() {
    printf '==> %s\n' "$*" >&2
}

require_root() {
    if [[ $EUID -ne 0 ]]; then
        say "containers, network namespaces and packet filters need root; try: sudo $0"
        exit 1
    fi
}

# One set-up at a time in this tree. The lock is let go before anything is started for good.
lock() {
    exec 9<"$root"
    if ! flock --nonblock 9; then
        say "another set-up is at work here; waiting for it"
        flock 9
    fi
}

unlock() {
    exec 9<&-
}

missing_packages() {
    local package
    for package in "$@"; do
        # shellcheck disable=SC2016
        [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            printf '%s\n' "$package"
    done
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet=1 -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 "$@" >&2 9<&-
}

# Servers among the packages are wanted as programs: policy-rc.d keeps them from being started.
hold_services() {
    [[ -e $POLICY ]] && ! grep -q Longshore "$POLICY" && return
    trap 'rm -f "$POLICY"' EXIT
    printf '#!/bin/sh\n# Made by Longshore while it installs packages.\nexit 101\n' >"$POLICY"
    chmod +x "$POLICY"
}

release_services() {
    if [[ -e $POLICY ]] && grep -q Longshore "$POLICY"; then
        rm -f "$POLICY"
    fi
}

# Nor are they started with the machine: what was there before is left as it is.
leave_disabled() {
    local package units
    command -v systemctl >/dev/null || return 0
    for package in "$@"; do
        mapfile -t units < <(dpkg-query --listfiles "$package" | sed -n 's|.*/systemd/system/\([^/]*\.service\)$|\1|p')
        ((${#units[@]} == 0)) || systemctl --quiet disable "${units[@]}" >&2 || true
    done
}

install_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        say "this is neither Debian nor Ubuntu; install by yourself: $*"
        return
    fi
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} == 0)); then
        return
    fi
    say "installing packages: ${missing[*]}"
    hold_services
    # Package lists may be older than the archive: a second try with fresh ones.
    local status=0
    apt install --no-install-recommends "${missing[@]}" || {
        apt update
        apt install --no-install-recommends "${missing[@]}" || status=$?
    }
    release_services
    ((status)) || leave_disabled "${missing[@]}"
    return "$status"
}

# Tests that need one of these say so and are left out where it cannot be had.
install_optional_packages() {
    local package
    for package in "$@"; do
        (install_packages "$package") || say "going on without $package"
    done
}

# The distribution's own is built with profile-guided optimisation, and no user's tool takes it away
# (docs/decisions/0101).
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# make_environment [EXTRA]: .venv with Longshore in it, as pyproject.toml is now.
make_environment() {
    local extra=${1:-} target=$root stamp=$root/.venv/longshore-set-up python want
    want="$root $(sha256sum <"$root/pyproject.toml")"
    if [[ -x $root/.venv/bin/longshore ]] && grep -qxF "$want" "$stamp" 2>/dev/null &&
        { [[ -z $extra ]] || grep -qxF "with $extra" "$stamp"; }; then
        return
    fi
    if ! "$root/.venv/bin/python" -m pip --version >/dev/null 2>&1; then
        if ! python=$(find_python); then
            say "Python 3.11 or later with its venv module is needed; set PYTHON to its path"
            exit 1
        fi
        say "making .venv with $python"
        rm -rf "$root/.venv"
        "$python" -m venv "$root/.venv"
    fi
    if [[ -z $extra ]] && grep -q '^with dev$' "$stamp" 2>/dev/null; then
        extra=dev
    fi
    say "installing Python packages (a minute or two the first time)"
    [[ -z $extra ]] || target="${root}[$extra]"
    "$root/.venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off \
        --editable "$target" 9<&- | sed --unbuffered --quiet 's/^\(Collecting\|Building\|Installing\) /    &/p' >&2
    printf '%s\n' "$want" ${extra:+"with $extra"} >"$stamp"
}

# Python leaves no bytecode where PYTHONDONTWRITEBYTECODE is set, and each start would compile anew.
# pip has compiled the packages. An edited source is newer than its bytecode, which is then not used.
compile_modules() {
    "$root/.venv/bin/python" -m compileall -q "$root/src/longshore" 9<&- >&2 ||
        say "going on with modules that are not compiled"
}

# install_components [NAME...]: these, or what every installation needs.
install_components() {
    say "components${*:+: $*} (building from source takes some minutes the first time)"
    "$root/.venv/bin/longshore" components install "$@" >&2 9<&-
}
