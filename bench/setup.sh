#!/usr/bin/env bash
# Installs the peers that the benchmarks compare Loam with, at exact versions, into a cache outside the clone.
# Quick when everything is there. Names of peers to install may be given: litellm, phoenix, portkey, postgres, nginx.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache="${LOAM_CACHE:-$HOME/.cache/loam}/bench"
mkdir -p "$cache"

fail() { echo "bench/setup.sh: $*" >&2; exit 1; }

# A peer is current when the stamp of its last complete installation holds the same pins.
current() { [[ -f "$cache/$1/.pins" ]] && cat "${@:2}" | cmp -s - "$cache/$1/.pins"; }
stamp() { cat "${@:2}" > "$cache/$1/.pins"; }

python_peer() { # NAME: a virtual environment with the frozen list peers/NAME.txt and nothing else
  local name=$1 pins="$here/peers/$1.txt"
  current "$name" "$pins" && return
  echo "installing $name into $cache/$name" >&2
  rm -rf "${cache:?}/$name"
  python3 -m venv "$cache/$name" || fail "python3 with the venv module is needed (Debian: python3-venv)"
  # The list is complete, so nothing is resolved: the same versions on every machine.
  "$cache/$name/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$pins"
  stamp "$name" "$pins"
}

portkey() {
  local pins=("$here/peers/portkey/package.json" "$here/peers/portkey/package-lock.json")
  current portkey "${pins[@]}" && return
  command -v npm > /dev/null || fail "npm is needed for Portkey's gateway (Debian: npm)"
  echo "installing portkey into $cache/portkey" >&2
  rm -rf "${cache:?}/portkey"
  mkdir -p "$cache/portkey"
  cp "${pins[@]}" "$cache/portkey/"
  (cd "$cache/portkey" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
  stamp portkey "${pins[@]}"
}

nginx() {
  # not `command -v`, which finds this function
  PATH="$PATH:/usr/sbin" type -P nginx > /dev/null && return
  [[ $(id -u) == 0 ]] && command -v apt-get > /dev/null || fail "nginx is needed (Debian: apt-get install nginx-light)"
  echo "installing nginx" >&2
  # The package would start a server on port 80: policy-rc.d keeps it from doing so.
  local policy=/usr/sbin/policy-rc.d made=
  [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' > $policy; chmod +x $policy; made=yes; }
  local status=0
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light; } \
    >&2 || status=$?
  [[ -z $made ]] || rm -f $policy
  return "$status"
}

for peer in "${@:-nginx portkey litellm postgres phoenix}"; do
  for one in $peer; do
    case $one in
      litellm | postgres | phoenix) python_peer "$one" ;;
      portkey | nginx) "$one" ;;
      *) fail "no peer named $one: there are litellm, phoenix, portkey, postgres and nginx" ;;
    esac
  done
done
