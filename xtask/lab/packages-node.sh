# Containers that boot a systemd of their own: the nodes of a cluster, and the collector's machine; sourced by packages-init.sh.
# shellcheck shell=bash
#
# Each has the machine's root below a layer of its own, so that dpkg, units, journal and state are its own; its network is a
# namespace that was cabled before it booted. A node has an active-backup bond of eno0 on the switch sw-a and eno1 on sw-b, vmbr0 on
# it with link 0 of corosync, and eno2 on sw-b with link 1. A trunk joins the switches. The collector is reached over a management
# network, so that no failure of a switch silences an agent.
#
# What is played: /etc/pve is one directory that all nodes share, without a pmxcfs, and pve-cluster.service is a shell that says
# numbered lines in its name. The kernel's own lines are in the journal of the machine, not in those of containers.

collector_address=10.99.0.1
pve=/lab/pve

name_of() { printf 'pve-%02d' "$1"; }

# Runs in the namespaces of a container that is up.
on() { # NAME COMMAND...
  local init
  init=$(cat "/lab/$1/init")
  shift
  nsenter --target "$init" --all --wd=/ -- "$@" </dev/null
}

cable_up() {
  ip netns add fabric
  ip -n fabric -batch - <<'BATCH'
link add sw-a type bridge vlan_filtering 1
link add sw-b type bridge vlan_filtering 1
link add trunk-a type veth peer name trunk-b
link set trunk-a master sw-a
link set trunk-b master sw-b
link set trunk-a up
link set trunk-b up
link set sw-a up
link set sw-b up
BATCH
  ip link add mgmt type bridge
  ip link set mgmt up
  local n
  for n in $(seq "$nodes"); do cable_node "$n"; done
  add_netns collector "$collector_address"
}

add_netns() { # NAME MANAGEMENT-ADDRESS
  ip netns add "$1"
  ip link add "m-$1" type veth peer name mgmt0 netns "$1"
  ip link set "m-$1" master mgmt up
  ip -n "$1" link set lo up
  ip -n "$1" link set mgmt0 up
  ip -n "$1" addr add "$2/24" dev mgmt0
}

cable_node() { # NODE-NUMBER
  local n=$1 in port switch
  in=$(name_of "$n")
  add_netns "$in" "10.99.0.1$n"
  for port in 0 1 2; do
    switch=$([ "$port" = 0 ] && echo sw-a || echo sw-b)
    ip -n "$in" link add "eno$port" address "02:00:00:00:0$n:0$port" type veth peer name "p$n-$port" netns fabric
    ip -n fabric link set "p$n-$port" master "$switch" up
  done
  ip -n "$in" -batch - <<BATCH
link add bond0 type bond mode active-backup miimon 100
link set eno0 master bond0
link set eno1 master bond0
link add vmbr0 type bridge vlan_filtering 1
link set bond0 master vmbr0
link set bond0 up
link set vmbr0 up
link set eno2 up
addr add 10.20.0.1$n/24 dev vmbr0
addr add 10.30.0.1$n/24 dev eno2
BATCH
}

# A pulled port and a dead switch take the carrier from the node's end.
set_ports() { # UP-OR-DOWN PORT...
  local how=$1 port
  shift
  for port in "$@"; do echo "link set $port $how"; done | ip -n fabric -batch -
}
set_switch() { # UP-OR-DOWN sw-a|sw-b
  local n ports=()
  for n in $(seq "$nodes"); do
    if [ "$2" = sw-a ]; then ports+=("p$n-0"); else ports+=("p$n-1" "p$n-2"); fi
  done
  set_ports "$1" "${ports[@]}" "trunk-${2#sw-}" "$2"
}

# One directory for all nodes, as pmxcfs shows it.
lay_out_pve() {
  mkdir -p "$pve/priv"
  cp "$here/pve-root-ca.pem" "$pve/"
  {
    printf 'logging {\n  debug: off\n  to_syslog: yes\n}\n\nnodelist {\n'
    local n
    for n in $(seq "$nodes"); do
      printf '  node {\n    name: %s\n    nodeid: %s\n    quorum_votes: 1\n    ring0_addr: 10.20.0.1%s\n    ring1_addr: 10.30.0.1%s\n  }\n' \
        "$(name_of "$n")" "$n" "$n" "$n"
    done
    cat <<CONF
}

quorum {
  provider: corosync_votequorum
}

totem {
  cluster_name: lab
  config_version: $nodes
  interface {
    linknumber: 0
  }
  interface {
    linknumber: 1
  }
  ip_version: ipv4-6
  link_mode: passive
  secauth: on
  # Emulation is slow.
  token: 5000
  version: 2
}
CONF
  } > "$pve/corosync.conf"
  corosync-keygen -l -k /lab/authkey >/dev/null
}

# The machine's root is the lower layer of all. Its tmpfs lies elsewhere, so that no layer is within another.
make_roots() {
  mkdir -p /lab
  mount -t tmpfs -o "size=3G,mode=755" lab /lab
  mkdir /lab/lower
  mount --bind / /lab/lower
  modprobe overlay
}

# Nobody sets the clock of an emulated machine, and all nodes have the same one: it is called synchronised (adjtimex with ADJ_MAXERROR,
# ADJ_ESTERROR and ADJ_STATUS), so that it is no finding.
trust_the_clock() { perl -e 'syscall(159, my $timex = pack("L x4 q4 l x200", 0x1c, 0, 0, 0, 0, 0)) >= 0 or die "adjtimex: $!\n"'; }

# The collector's unit has a CPUQuota=, and the first one on a machine makes the kernel rewrite code that all processors run. Emulated
# ones do not always bear that (the kernel panics in enqueue_task_fair or dequeue_entities): so it is done while there is only one, and
# the quota stays.
have_a_quota() {
  echo 0 > /sys/devices/system/cpu/cpu1/online
  systemd-run --quiet --unit=quota --property=CPUQuota=400% sleep infinity
  echo 1 > /sys/devices/system/cpu/cpu1/online
}

make_root() { # NAME
  local dir=/lab/$1 root=/lab/$1/root
  mkdir -p "$dir"/{upper,work,root}
  mount -t overlay -o "lowerdir=/lab/lower,upperdir=$dir/upper,workdir=$dir/work" "$1" "$root"
  rm "$root/etc/systemd/system/multi-user.target.wants/lab.service"
  ln -s /dev/null "$root/etc/systemd/system/console-getty.service"
  # The machine's recipe took links out and left the directories, which systemctl tidies up.
  find "$root/etc/systemd/system" -name '*.wants' -empty -delete
  echo "$1" > "$root/etc/hostname"
  # Corosync's unit has the limit of the manager, and eight that start at once on emulated processors may need more.
  mkdir -p "$root/etc/systemd/system.conf.d"
  printf '[Manager]\nDefaultTimeoutStartSec=20min\n' > "$root/etc/systemd/system.conf.d/slow.conf"
  printf '127.0.0.1 localhost\n' > "$root/etc/hosts"
  printf %s "$1" | md5sum | cut -d' ' -f1 > "$root/etc/machine-id"
  mkdir -p "$root/packages" "$root/etc/pve" "$root/var/log/journal"
}

make_node() { # NODE-NUMBER
  local in root
  in=$(name_of "$1")
  root=/lab/$in/root
  make_root "$in"
  cp "$pve/corosync.conf" /lab/authkey "$root/etc/corosync/"
}

# Comes back once systemd is up within. nspawn's own way into a network namespace would show the /sys of another one.
boot() { # NAME [BIND]
  systemd-run --quiet --unit="box-$1" --service-type=notify --property=Delegate=yes --property=KillMode=mixed \
    --property=TasksMax=infinity --property=TimeoutStartSec=20min --property="NetworkNamespacePath=/run/netns/$1" \
    systemd-nspawn --quiet --keep-unit --register=no --boot --notify-ready=yes --directory="/lab/$1/root" --machine="$1" \
    --bind-ro="$here:/packages" ${2:+"--bind=$2"} --resolv-conf=off --link-journal=no --capability=all
  pgrep -P "$(systemctl show -P MainPID "box-$1")" > "/lab/$1/init"
}

# Speaks in the name of pmxcfs, so many times a second as an emulated machine bears, until it is told to stop; then it leaves the last number.
speak() { # NAME
  # shellcheck disable=SC2016 # it is the node's own shell
  on "$1" systemd-run --quiet --unit=pve-cluster.service --property=SyslogIdentifier=pmxcfs bash -c '
    exec 3<> <(:)
    n=0
    until [ -e /run/enough ]; do
      n=$((n + 1))
      echo "[status] notice: line $n of the lab"
      read -rt 0.7 -u 3
    done
    echo "$n" > /run/lines'
}
fall_silent() { # NAME: prints how many lines it said
  on "$1" touch /run/enough
  poll 60 "the last line of $1" on "$1" test -s /run/lines
  on "$1" cat /run/lines
}
