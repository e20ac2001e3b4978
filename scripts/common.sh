# Sourced by the other scripts: packages, LibTorch, configure, build. Expects `set -euo pipefail`.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export MARQUEE_LIBTORCH=${MARQUEE_LIBTORCH:-$ROOT/.deps/libtorch}

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 3; }

missing_packages() {  # LIST
  grep -vE '^(#|$)' "$ROOT/scripts/$1" | while read -r package; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

# Installs what scripts/packages.txt lists; without root or sudo it says exactly what is missing.
install_packages() {
  command -v dpkg-query >/dev/null || {
    say "no dpkg here: trusting that the libraries of scripts/packages.txt are installed"
    return 0
  }
  local missing
  missing=$(missing_packages packages.txt)
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086
  set -- $missing
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
      as_root=(sudo)
    else
      die "these packages are missing and there is neither root nor sudo here: $*
Ask an administrator for: apt-get install --no-install-recommends $*"
    fi
  fi
  say "installing $# packages"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq ||
    die "apt-get update failed; missing packages: $*"
  local log=$ROOT/.deps/packages.log
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
    >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "apt-get install failed for: $*"
  }
}

# What scripts/test_packages.txt lists, where root or sudo (without a password) can have it.
install_test_packages() {
  command -v dpkg-query >/dev/null || return 0
  local missing as_root=()
  missing=$(missing_packages test_packages.txt)
  [ -n "$missing" ] || return 0
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  say "installing for tests: $missing"
  # shellcheck disable=SC2086
  { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
  } >/dev/null 2>&1 || say "not to be had: $missing; tests that want it are skipped"
}

# configure_and_build PRESET TARGET...
configure_and_build() {
  local preset=$1; shift
  local dir=$ROOT/build/$preset
  export CCACHE_DIR=${CCACHE_DIR:-$ROOT/.deps/ccache}
  if [ ! -f "$dir/build.ninja" ]; then
    say "configuring build/$preset"
    (cd "$ROOT" && cmake --preset "$preset" -DMARQUEE_LIBTORCH="$MARQUEE_LIBTORCH" >"$ROOT/.deps/configure.log" 2>&1) || {
      tail -n 30 "$ROOT/.deps/configure.log" >&2
      die "cmake --preset $preset failed (whole log: .deps/configure.log)"
    }
  fi
  say "building build/$preset"
  cmake --build "$dir" --parallel "$(nproc)" ${1:+--target "$@"} >&2
}

prepare() {
  mkdir -p "$ROOT/.deps"
  install_packages
  "$ROOT/scripts/fetch_libtorch"
}
