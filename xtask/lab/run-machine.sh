#!/bin/bash
# Boots the lab machine once, has it run a script, and lays out what that left.
#
#   run-machine.sh MACHINE RESULTS SECONDS INIT [FILE...]
#
# MACHINE is what build-machine.sh made; it is not changed. INIT and the FILEs are laid into one directory of the
# machine, INIT is run there. RESULTS gets its results, its exit code (`status`) and all that it said (`log`).
# After SECONDS the machine is ended, whatever it does. It is emulated, which is 10 to 20 times slower than the host, but
# works everywhere: a /dev/kvm that is there need not work. QUORATE_LAB_ACCEL=kvm takes it where it does.
set -eu

machine=${1:?usage: run-machine.sh MACHINE RESULTS SECONDS INIT [FILE...]}
results=${2:?no directory for the results}
seconds=${3:?no number of seconds}
init=${4:?no script to run}
shift 4

command -v qemu-system-x86_64 >/dev/null || {
  echo "run-machine: qemu-system-x86_64 is not installed (apt-get install qemu-system-x86)" >&2
  exit 1
}

work=$(mktemp -d "${TMPDIR:-/tmp}/quorate-lab.XXXXXX")
qemu=
clean() {
  if [ -n "$qemu" ]; then kill -KILL "$qemu" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP

mkdir "$work/input"
cp "$init" "$work/input/init"
if [ $# -gt 0 ]; then cp "$@" "$work/input/"; fi
tar -cf "$work/input.tar" -C "$work/input" .
truncate -s 64M "$work/results.tar"
: > "$work/log"

# An INIT with a line `# nodes: N` gets two cables for each of N nodes, between cards of the machine itself: eno-p1-0 to
# far-p1-0 and so on. Its third serial port leads to QEMU's monitor, whose `set_link CARD off` takes the carrier from a card.
cables=()
nodes=$(sed -n 's/^# nodes: \([1-9]\)$/\1/p' "$init")
for n in $(seq 1 "${nodes:-0}"); do
  for port in 0 1; do
    for card in "eno-p$n-$port,mac=02:00:00:00:0$n:0$port" "far-p$n-$port,mac=02:00:00:00:fa:$n$port"; do
      cables+=(-netdev "hubport,id=at-${card%%,*},hubid=$n$port"
        -device "virtio-net-pci,netdev=at-${card%%,*},speed=25000,duplex=full,romfile=,id=$card")
    done
  done
done
if [ -n "$nodes" ]; then
  cables+=(-chardev "socket,id=monitor,path=$work/monitor,server=on,wait=off" -mon chardev=monitor -serial "unix:$work/monitor")
fi

# An INIT with a line `# memory: N` gets N MiB of it.
memory=$(sed -n 's/^# memory: \([0-9]*\)$/\1/p' "$init")

# The network card is cabled to nothing: it is there because it sits on a bus and has a driver's speed, which a
# veth has not. TMPDIR is where QEMU keeps what is written to the root disk. no_timer_check: on a busy host the emulated timer
# stands still for longer than the kernel waits for it ("IO-APIC + timer doesn't work!").
TMPDIR=$work qemu-system-x86_64 -M q35 -cpu max -accel "${QUORATE_LAB_ACCEL:-tcg,thread=multi}" -smp 2 -m "${memory:-2048}" -display none -no-reboot \
  -serial "file:$work/console" -serial "file:$work/log" \
  -kernel "$machine/vmlinuz" -initrd "$machine/initrd" \
  -append 'root=/dev/vda rw console=ttyS0 quiet no_timer_check' \
  -drive "file=$machine/root.img,if=virtio,format=raw,cache=unsafe,snapshot=on" \
  -drive "file=$work/input.tar,if=virtio,format=raw,cache=unsafe,readonly=on" \
  -drive "file=$work/results.tar,if=virtio,format=raw,cache=unsafe" \
  -netdev hubport,id=nowhere,hubid=0 \
  -device virtio-net-pci,netdev=nowhere,mac=02:00:00:00:00:99,speed=25000,duplex=full,romfile= \
  ${cables[@]+"${cables[@]}"} \
  </dev/null &
qemu=$!

printed=0
while kill -0 "$qemu" 2>/dev/null; do
  if [ "$SECONDS" -ge "$seconds" ]; then
    tail -n 30 "$work/console" >&2 || true
    echo "run-machine: the machine did not end within $seconds s and was ended" >&2
    exit 1
  fi
  sleep 1
  # What the machine says is shown as it comes.
  size=$(stat -c %s "$work/log")
  if [ "$size" -gt "$printed" ]; then
    tail -c "+$((printed + 1))" "$work/log" | head -c "$((size - printed))" >&2
    printed=$size
  fi
done
# Its exit code is lost where `kill -0` saw it end; the results tell whether it did its work.
wait "$qemu" || true
qemu=

rm -rf "$work/out"
mkdir "$work/out"
if ! tar -xf "$work/results.tar" -C "$work/out" --no-same-owner --no-same-permissions || [ ! -f "$work/out/status" ]; then
  tail -n 30 "$work/console" >&2 || true
  echo "run-machine: the machine left no results" >&2
  exit 1
fi
cp "$work/log" "$work/out/log"
mkdir -p "$results"
cp -R "$work/out/." "$results/"
