#!/usr/bin/env bash
# Installs the Debian packages that keyrite's make targets need and that are missing.
# Usage: scripts/install-debian.sh demo|test|bench
set -euo pipefail

declare -A why=(
  [softhsm2]="software token for rehearsals and tests"
  [openssl]="checks the output"
  [gcc]="compiles the cryptography library and SQLite"
  [libc6-dev]="C library headers and start files, which gcc only recommends"
  [make]="runs the targets"
  [opensc]="reads the token independently of keyrite"
  [gnutls-bin]="checks certificates (certtool)"
  [libengine-pkcs11-openssl]="lets openssl sign with a key in the token"
  [openssh-client]="signs approvals of bundles (ssh-keygen)"
  [strace]="makes system calls of a ceremony fail, or kills it at them"
  [libfaketime]="sets the clock in tests"
  [tmux]="a real terminal for tests"
  [mount]="mounts media for tests"
  [procps]="lists and stops processes of tests"
  [python3]="checks certificates and manifests with other libraries"
  [strongswan-pki]="is benchmarked against keyrite (pki)"
  [libstrongswan-standard-plugins]="lets pki read PEM"
  [libstrongswan-extra-plugins]="lets pki sign with a key in the token"
  [etcd-server]="a cluster that authenticates with certificates of a test"
  [etcd-client]="its client (etcdctl)"
  [kubernetes-client]="reads completed kubeconfigs (kubectl)"
  [python3-venv]="installs those libraries into target/"
)
demo=(softhsm2 openssl gcc libc6-dev make)
test=("${demo[@]}" openssh-client opensc gnutls-bin libengine-pkcs11-openssl strace libfaketime tmux mount procps python3 python3-venv etcd-server etcd-client)
# Another package that provides kubectl would conflict.
command -v kubectl >/dev/null || test+=(kubernetes-client)
bench=("${test[@]}" strongswan-pki libstrongswan-standard-plugins libstrongswan-extra-plugins)

case "${1:-}" in
  demo) wanted=("${demo[@]}") ;;
  test) wanted=("${test[@]}") ;;
  bench) wanted=("${bench[@]}") ;;
  *) echo "usage: $0 demo|test|bench" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  # Another system: continue if the programs are present, otherwise list what to install.
  if [ "$1" = demo ] && command -v openssl cc >/dev/null && ls /usr/lib*/softhsm/libsofthsm2.so >/dev/null 2>&1; then exit 0; fi
  echo "This is not Debian. Install these by hand (Debian package names):" >&2
  for package in "${wanted[@]}"; do echo "  $package: ${why[$package]}" >&2; done
  exit 2
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done

if [ "${#missing[@]}" -gt 0 ]; then
  echo "Installing Debian packages:"
  for package in "${missing[@]}"; do echo "  $package: ${why[$package]}"; done
  root=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "sudo is missing; run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 2
    fi
    root=(sudo)
  fi
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ "$1" = test ]; then
  # Independent checkers of certificates and manifests, in a separate folder.
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
