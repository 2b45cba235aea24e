#!/bin/bash
# Builds the lab machine: a Debian 13 (trixie, the base of Proxmox VE 9) as root.img, vmlinuz and initrd in a directory.
#
#   build-machine.sh DIR
#
# The machine knows nothing of what it is used for: at boot it unpacks /dev/vdb (a tar), runs the file `init` of it,
# and writes what that left in its results directory to /dev/vdc (a tar, with the exit code in `status`).
# Whoever calls this keys DIR by the hash of this file. Needs root, because a root file system is made.
set -eu

dir=${1:?usage: build-machine.sh DIR}

packages=systemd,systemd-sysv,systemd-container,udev,dbus,kmod,procps,util-linux,iproute2,ethtool,ifupdown2,corosync,jq,tzdata,linux-image-cloud-amd64

missing=
need() { # PROGRAM PACKAGE
  command -v "$1" >/dev/null || missing="$missing $2"
}
need mmdebstrap mmdebstrap
need mke2fs e2fsprogs
need qemu-system-x86_64 qemu-system-x86
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "build-machine: not installed:$missing; install them (apt-get install$missing)" >&2
    exit 1
  fi
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of words
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
fi
if [ "$(id -u)" != 0 ]; then
  echo "build-machine: only root can build the machine's root file system; run this once with sudo" >&2
  exit 1
fi

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$(dirname "$dir")/.build.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM HUP
root=$work/root

# In a mount namespace of its own: whatever is mounted into the root goes away with it, also when it is killed.
unshare --mount --propagation private mmdebstrap --quiet --variant=minbase --include="$packages" \
  --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  trixie "$root" >&2

# Only what the root disk needs: reading a whole driver collection costs an emulated machine half a minute.
echo 'MODULES=list' > "$root/etc/initramfs-tools/conf.d/lab"
printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic > "$root/etc/initramfs-tools/modules"
unshare --mount --propagation private chroot "$root" update-initramfs -u >&2

cat > "$root/usr/local/sbin/lab-run" <<'RUN'
#!/bin/bash
# ttyS0 is the console; what the script says goes to the second port.
exec >/dev/ttyS1 2>&1
mkdir -p /run/lab /results
if tar -xf /dev/vdb -C /run/lab; then
  bash /run/lab/init /results
  status=$?
else
  status=127
fi
echo "$status" > /results/status
tar -cf /dev/vdc -C /results .
sync
poweroff -f
RUN
chmod 755 "$root/usr/local/sbin/lab-run"
cat > "$root/etc/systemd/system/lab.service" <<'UNIT'
[Unit]
Description=What this machine was booted for
After=basic.target

[Service]
ExecStart=/usr/local/sbin/lab-run
# It starts daemons of its own in namespaces.
TasksMax=infinity

[Install]
WantedBy=multi-user.target
UNIT
ln -sf /etc/systemd/system/lab.service "$root/etc/systemd/system/multi-user.target.wants/lab.service"
for unit in networking.service corosync.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer getty@tty1.service serial-getty@ttyS0.service; do
  find "$root/etc/systemd/system" -name "$unit" -delete
done
ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
ln -sf /dev/null "$root/etc/systemd/system/getty@tty1.service"
: > "$root/etc/machine-id"
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/lib/apt/lists/*

mkdir "$work/machine"
cp -L "$root/vmlinuz" "$root/initrd.img" "$work/machine/"
mv "$work/machine/initrd.img" "$work/machine/initrd"
mke2fs -q -t ext4 -d "$root" "$work/machine/root.img" 2G
rm -rf "$dir"
mv "$work/machine" "$dir"
