#!/bin/sh
# Lets the agent start where pmxcfs has died: /etc/pve is mounted then, and every look at it fails. systemd cannot set up a unit that
# names such a path in ReadWritePaths= (226/NAMESPACE, whatever "-" stands before it), so that the setting is taken back as long as it
# is so. It is run before each start of the agent (quorate-agent-pve.service), and can be run at any time, any number of times.
#
# A /etc/pve that is mounted anew below an agent that runs is seen and written without the setting, too.
set -eu

root=${QUORATE_ROOT:-}
dir=$root/run/systemd/system/quorate-agent.service.d
# Before what an admin adds: his own ReadWritePaths= stay.
file=$dir/00-quorate-pve.conf

# That there is none is no matter: systemd leaves out what "-" stands before.
is_dead() {
  said=$(LC_ALL=C stat -L "$root/etc/pve" 2>&1 >/dev/null) && return 1
  case $said in *'No such file or directory'*) return 1 ;; esac
}

if is_dead; then
  [ ! -e "$file" ] || exit 0
  mkdir -p "$dir"
  printf '# /etc/pve is dead.\n[Service]\nReadWritePaths=\n' >"$file"
else
  [ -e "$file" ] || exit 0
  rm -f "$file"
  rmdir "$dir" 2>/dev/null || true
fi
if [ -z "$root" ]; then systemctl daemon-reload; fi
