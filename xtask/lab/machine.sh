# What every script of the lab machine needs: speaking, waiting, devices; sourced by captures-init.sh and agent-init.sh.
# shellcheck shell=bash disable=SC2034 # failed: the exit code of whoever sources this

failed=0

say() { echo "[$(cut -d' ' -f1 /proc/uptime)] $*"; }

# A state that was not reached costs the exit code, not the other captures.
poll() { # SECONDS WHAT COMMAND...: runs the command until it succeeds
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "NOT REACHED: $what"
      failed=1
      return 0
    fi
    sleep 0.3
  done
}

# Tap devices have carrier only while a program holds them; this one holds them for good.
hold_taps() { # NETNS-COMMAND... -- NAME...
  local within=()
  while [ "$1" != -- ]; do within+=("$1"); shift; done
  shift
  # shellcheck disable=SC2016 # it is Perl: 0x400454ca is TUNSETIFF, 0x1002 is IFF_TAP | IFF_NO_PI
  "${within[@]}" perl -e 'for (@ARGV) {
      open(my $tun, "+<", "/dev/net/tun") or die "tun: $!"; push @held, $tun;
      ioctl($tun, 0x400454ca, pack("a16 S x22", $_, 0x1002)) or die "$_: $!";
    } sleep' "$@" &
}

modprobe -a bonding 8021q bridge veth sch_netem dummy tun
# Loading the driver makes a bond0 of its own accord, which nobody asked for.
ip link del bond0 2>/dev/null || true
