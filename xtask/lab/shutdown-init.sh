#!/bin/bash
# Runs inside the lab machine: the agent as it is shipped, below the real systemd, and then a real `systemctl reboot`. Is it
# announced, and in the agent's spool, before the agent is stopped?
#
#   init RESULTS
set -eu

results=${1:?usage: init RESULTS}
here=$(dirname "$0")
say() { echo "shutdown: $*"; }

install -m 755 "$here/quorate-agent" /usr/bin/quorate-agent
install -m 644 "$here/quorate-agent.service" /etc/systemd/system/quorate-agent.service
# It is enrolled with nobody here, which the unit waits for otherwise.
mkdir -p /etc/systemd/system/quorate-agent.service.d
printf '[Unit]\nConditionPathExistsGlob=\n' > /etc/systemd/system/quorate-agent.service.d/lab.conf
systemctl daemon-reload
systemctl start dbus.service systemd-logind.service quorate-agent.service

for _ in $(seq 120); do
  if systemd-inhibit --list --no-pager | grep -q Quorate; then break; fi
  sleep 1
done
if ! systemd-inhibit --list --no-pager | grep Quorate; then
  say "NOT SEEN: an inhibitor of the agent"
  journalctl -b --no-pager -u quorate-agent | tail -n 20
  exit 1
fi
quorate-agent guard-reboot enable
quorate-agent guard-reboot status

# All that belongs to this script is stopped by the reboot; this one stays until the very end.
cat > /run/witness <<WITNESS
exec >/dev/ttyS1 2>&1
began=\$(date +%s%N)
ms() { echo \$(((\$(date +%s%N) - began) / 1000000)); }
systemctl reboot
status=1
for _ in \$(seq 600); do
  if grep -arq 'systemd-logind announced a reboot' /var/lib/quorate/agent/spool; then
    status=0
    break
  fi
  sleep 0.05
done
echo "shutdown: \$(ms) ms after systemctl reboot: in the spool \$([ \$status = 0 ] && echo yes || echo NO), the agent is \$(systemctl is-active quorate-agent)"
journalctl -b --no-pager -o short-precise | grep -E 'quorate-agent|logind' | tail -n 12
echo "\$status" > $results/status
tar -cf /dev/vdc -C $results .
sync
poweroff -ff
WITNESS
systemd-run --quiet --unit=lab-witness -p DefaultDependencies=no -p SendSIGHUP=no bash /run/witness
sleep 600
