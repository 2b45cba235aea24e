#!/bin/sh
# Runs as root in a plain Debian without a running systemd: what a Debian admin expects of the packages in /packages/one (this version)
# and /packages/two (the next). Ends with 0 if all of it is true.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

fail() {
    echo "NOT SO: $*" >&2
    exit 1
}

so() { # WHAT COMMAND...
    what=$1
    shift
    "$@" >/tmp/said 2>&1 || {
        cat /tmp/said >&2
        fail "$what"
    }
    echo "ok: $what"
}

# /run/adduser is a lock of lldpd's.
listing() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /packages -o -path /tmp -o -path /run/lock \
        -o -path /run/adduser \
        -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /var/lib/apt \) -prune -o -printf '%M %u %g %p\n' | sort
}

said_at_install=/tmp/installed
agent_toml=/etc/quorate/agent.toml
collector=/var/lib/quorate/collector
enrolment=/var/lib/quorate/agent/collectors/c1

listing >/tmp/before
cp /etc/passwd /tmp/passwd
dpkg -i /packages/one/*.deb >"$said_at_install" 2>&1 || {
    cat "$said_at_install" >&2
    fail "the packages can be installed"
}
echo "ok: the packages can be installed"
so "the agent's package says what to do next" grep -q "quorate-agent join" "$said_at_install"
so "the collector's package says what to do next" grep -q "quorate-collector init" "$said_at_install"
so "no token is in what they said" sh -c "! grep -q 'quorate-join-\|--token q' $said_at_install"
so "the programs run" sh -c "quorate --version && quorate-agent --version && quorate-collector --version"
so "the collector has a user of its own" getent passwd quorate
so "collector.toml is for the collector alone" test "$(stat -c '%a %U %G' /etc/quorate/collector.toml)" = "640 root quorate"
so "its state too" test "$(stat -c '%a %U' $collector)" = "700 quorate"
so "the example configuration is one" quorate-collector check-config
so "the units are enabled" test -e /etc/systemd/system/multi-user.target.wants/quorate-agent.service \
    -a -e /etc/systemd/system/multi-user.target.wants/quorate-collector.service \
    -a -e /etc/systemd/system/timers.target.wants/quorate-agent-join.timer

so "a second install of the same version changes nothing" dpkg -i /packages/one/*.deb

so "root sets the collector up" quorate-collector init --address collector.example
so "all that it keeps is the collector's" test -z "$(find $collector ! -user quorate)"
so "the collector's user can use it" setpriv --reuid quorate --regid quorate --clear-groups quorate-collector token list
mkdir -p $enrolment
echo chain >$enrolment/chain.pem

dropin=/etc/systemd/system/quorate-agent.service.d/50-quorate-lldp.conf
so "nothing of LLDP without lldpd" test ! -e $dropin
so "lldpd comes" dpkg -i /root/lldpd_*.deb
so "the agent's unit has its group" grep -q _lldpd $dropin
so "lldpd goes" dpkg --purge lldpd
so "and its group with it" test ! -e $dropin
so "lldpd comes again" dpkg -i /root/lldpd_*.deb

echo '# of the admin' >>$agent_toml
so "the next version is installed over it" dpkg -i /packages/two/*.deb
so "the admin's words stay" grep -q '# of the admin' $agent_toml
so "the enrolment stays" test -e $enrolment/chain.pem
so "the collector stays" setpriv --reuid quorate --regid quorate --clear-groups quorate-collector token list
dpkg -i /packages/two/*.deb >"$said_at_install" 2>&1
so "an enrolled agent is not told to join" sh -c "! grep -q 'quorate-agent join' $said_at_install"
so "the version before is installed over it" dpkg -i /packages/one/*.deb

so "they can be removed" dpkg --remove quorate quorate-agent quorate-collector
so "what it wrote for lldpd goes with the agent" test ! -e $dropin
so "the programs are gone" sh -c "! command -v quorate-agent"
so "configuration and state stay" test -e $agent_toml -a -e $enrolment/chain.pem -a -e $collector/identity.db
so "they can be purged" dpkg --purge quorate quorate-agent quorate-collector
so "lldpd is purged, too" dpkg --purge lldpd
listing >/tmp/after
so "purged, they leave nothing" diff /tmp/before /tmp/after
so "and no user" diff /tmp/passwd /etc/passwd
