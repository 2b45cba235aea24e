#!/bin/sh
# Lets the agent read what lldpd hears, where lldpd is installed: writes the unit's addition, or removes it. It can be run at any
# time, any number of times; for postinst, postrm and a trigger on lldpd's files.
#
# Below /usr/local/lib and /usr/lib a file would be dpkg's, in /etc the admin's; what a package decides while it runs belongs to /run
# or /var. /run is empty after a boot, so it is /etc, as for what postinst enables, with a name that says whose it is. An admin
# who wants another one makes a file of the same name with other words: what does not begin as ours is left alone.
set -eu

root=${QUORATE_ROOT:-}
source=$root/usr/share/quorate-agent/lldp.conf
dir=$root/etc/systemd/system/quorate-agent.service.d
file=$dir/50-quorate-lldp.conf
ours='# Only where lldpd is installed:'

has_group() { grep -q "^$1:" "$root/etc/group"; }
is_ours() { [ -f "$file" ] && head -n 1 "$file" | grep -qF "$ours"; }

changed=no
if [ -e "$source" ] && [ -x "$root/usr/sbin/lldpcli" ] && has_group _lldpd; then
  if [ ! -e "$file" ] || { is_ours && ! cmp -s "$source" "$file"; }; then
    mkdir -p "$dir"
    cp "$source" "$file.new"
    chmod 644 "$file.new"
    mv "$file.new" "$file"
    changed=yes
  fi
elif is_ours; then
  rm -f "$file"
  rmdir "$dir" 2>/dev/null || true
  changed=yes
fi

# It holds from the agent's next start; nothing that happens meanwhile is lost. One that does not run stays as it is.
if [ "$changed" = yes ] && [ -z "$root" ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  # An agent that cannot be started is no reason to leave a package half configured.
  systemctl try-restart quorate-agent.service || true
fi
