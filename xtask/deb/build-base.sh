#!/bin/sh
# Builds the root of a plain Debian, as a tar, for packages to be installed in.
#
#   build-base.sh SUITE TAR
#
# It has what the packages depend on, and lldpd as a file: what is tried needs no network. Whoever calls this keys TAR by the hash of
# this file. Needs root.
set -eu

suite=${1:?usage: build-base.sh SUITE TAR}
tar=${2:?usage: build-base.sh SUITE TAR}
packages=systemd,tzdata,ca-certificates,procps,libcfg7,libcmap4,libquorum5,libvotequorum8

# In a mount namespace of its own: whatever is mounted into the root goes away with it, also when it is killed.
unshare --mount --propagation private mmdebstrap --quiet --variant=minbase --include="$packages" \
  --aptopt='Acquire::Languages "none"' \
  --customize-hook='chroot "$1" sh -c "cd /root && apt-get -qq download lldpd && apt-get -qq -y --no-install-recommends install ./lldpd_*.deb && dpkg --purge lldpd"' \
  "$suite" "$tar.new.tar" >&2
mv "$tar.new.tar" "$tar"
