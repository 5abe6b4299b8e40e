#!/usr/bin/env bash
# Installs, from Debian's packages, what keyrite's make targets need and this machine lacks.
# Usage: scripts/install-debian.sh demo|test|bench
set -euo pipefail

declare -A why=(
  [softhsm2]="the software token of rehearsals and tests"
  [openssl]="checks what comes out"
  [gcc]="compiles the cryptography library and SQLite"
  [libc6-dev]="the C library's headers and start files, which gcc only recommends"
  [make]="runs the targets"
  [opensc]="reads the token with a tool that is not keyrite"
  [gnutls-bin]="judges certificates (certtool)"
  [libengine-pkcs11-openssl]="lets openssl sign with a key in the token"
  [openssh-client]="approves bundles (ssh-keygen)"
  [strace]="kills and starves a ceremony at chosen system calls"
  [libfaketime]="sets the clock of a test"
  [tmux]="a real terminal to type at"
  [mount]="gives a test a medium of its own"
  [procps]="stops programs of a test, and shows them"
  [python3]="reads certificates and manifests with other libraries"
  [strongswan-pki]="is timed beside keyrite (pki)"
  [libstrongswan-standard-plugins]="lets pki read PEM"
  [libstrongswan-extra-plugins]="lets pki sign with a key in the token"
  [etcd-server]="three members that authenticate by certificates of a test"
  [etcd-client]="their client (etcdctl)"
  [kubernetes-client]="reads completed kubeconfigs (kubectl)"
  [python3-venv]="keeps those libraries inside target/"
)
demo=(softhsm2 openssl gcc libc6-dev make)
test=("${demo[@]}" openssh-client opensc gnutls-bin libengine-pkcs11-openssl strace libfaketime tmux mount procps python3 python3-venv etcd-server etcd-client)
# Where another package brings kubectl, the two cannot be installed side by side.
command -v kubectl >/dev/null || test+=(kubernetes-client)
bench=("${test[@]}" strongswan-pki libstrongswan-standard-plugins libstrongswan-extra-plugins)

case "${1:-}" in
  demo) wanted=("${demo[@]}") ;;
  test) wanted=("${test[@]}") ;;
  bench) wanted=("${bench[@]}") ;;
  *) echo "usage: $0 demo|test|bench" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  # Another system: go on when the programs are there, otherwise name what to install.
  if [ "$1" = demo ] && command -v openssl cc >/dev/null && ls /usr/lib*/softhsm/libsofthsm2.so >/dev/null 2>&1; then exit 0; fi
  echo "This is no Debian. Install these by hand (Debian's names):" >&2
  for package in "${wanted[@]}"; do echo "  $package: ${why[$package]}" >&2; done
  exit 2
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done

if [ "${#missing[@]}" -gt 0 ]; then
  echo "Installing from Debian's packages:"
  for package in "${missing[@]}"; do echo "  $package: ${why[$package]}"; done
  root=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "sudo is not there; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 2
    fi
    root=(sudo)
  fi
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ "$1" = test ]; then
  # Independent judges of certificates and manifests, in a folder of their own.
  cd "$(dirname "$0")/.."
  judges=(pkilint==0.13.3 cryptography jsonschema)
  if [ "$(cat target/judges/.complete 2>/dev/null)" != "${judges[*]}" ]; then
    echo "Installing into target/judges: ${judges[*]}"
    rm -rf target/judges
    mkdir -p target
    python3 -m venv target/judges
    target/judges/bin/pip install --quiet --disable-pip-version-check "${judges[@]}"
    echo "${judges[*]}" > target/judges/.complete
  fi
fi
