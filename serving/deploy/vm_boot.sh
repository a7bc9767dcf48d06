#!/bin/bash
# Boots this TPU VM to a server that is accepted. Compute Engine runs it at every start; running it again at any
# time, whole or after a kill, is safe: each stage first looks at what is there. A stage that fails says so in
# one sentence and ends the boot; nothing is tried again until somebody starts it again:
#   cat /run/tpuserve/status.json                        what happened, stage by stage
#   sudo systemctl restart google-startup-scripts        again
set -euo pipefail

# --- constants ---

readonly RUN=/run/tpuserve PATIENCE=300
readonly METADATA=http://metadata.google.internal/computeMetadata/v1/instance
export PYTHONPATH=$RUN/files/boot DOCKER_CONFIG=$RUN/docker DEBIAN_FRONTEND=noninteractive

say() { echo "tpuserve: $*"; }
fail() { echo "$*" >&2; exit 1; }
metadata() { curl --silent --show-error --fail --retry 5 --header 'Metadata-Flavor: Google' "$METADATA/$1"; }
boot() { python3 -m agent.vm "$@"; }
answers() {
  curl --silent --fail --max-time 5 --output /dev/null "http://$(metadata network-interfaces/0/ip):$PORT$1"
}
last_line() { { grep -v '^[[:space:]]*$' "$1" || true; } | tail -n 1 | cut -c -300; }

# Runs the function $1 and reports its seconds, or the last line that it wrote to stderr as its reason.
stage() {
  local name=$1 began=$EPOCHREALTIME code=0 seconds
  boot report "$name" running
  say "$name"
  # Not in a condition: there, bash would ignore set -e inside the function.
  set +e
  (set -e; "$name" 2>"$RUN/$name.err")
  code=$?
  set -e
  seconds=$(python3 -c 'import sys; print(f"{float(sys.argv[2]) - float(sys.argv[1]):.1f}")' \
    "$began" "$EPOCHREALTIME")
  if ((code != 0)); then
    local reason
    reason=$(last_line "$RUN/$name.err")
    boot report "$name" failed "$seconds" "${reason:-The stage ended with code $code and no word.}"
    say "$name failed after $seconds s: ${reason:-code $code}"
    exit 1
  fi
  boot report "$name" 'done' "$seconds"
  say "$name: $seconds s"
}

# What this boot needs beyond this script travels in metadata too: JSON objects of path -> text. Google limits
# each of them, and the sidecar's settings name the commit, which may change where nothing else does.
files() {
  local attribute
  rm -rf "$RUN/files"
  for attribute in tpuserve-files tpuserve-agent tpuserve-sidecar; do
    metadata "attributes/$attribute" | python3 -c '
import json, pathlib, sys
for name, text in json.load(sys.stdin).items():
    path = pathlib.Path(sys.argv[1], name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
' "$RUN/files" || fail "The metadata attribute $attribute is missing or damaged: make the template again."
  done
}

# The data disk, by the id that its template gave it. Only a disk without any content is formatted.
disk() {
  mkdir -p "$BASE"
  [[ -n $DISK ]] || return 0
  mountpoint --quiet "$BASE" && return 0
  [[ -b $DISK ]] || fail "The data disk $DISK is not attached: the template must have a disk of that name."
  local found
  found=$(blkid --probe --output export "$DISK" | grep -E '^(LABEL|TYPE|PTTYPE)=' | sort | xargs) || true
  case $found in
    '')
      # A last look at the bytes: blkid knows many formats, not all.
      cmp --silent --bytes=1048576 "$DISK" /dev/zero ||
        fail "The data disk $DISK is not empty and holds no file system that is known: it is left alone; give an empty disk."
      mkfs.ext4 -q -m 0 -L tpuserve "$DISK" ;;
    'LABEL=tpuserve TYPE=ext4') ;;
    *) fail "The data disk $DISK holds something else ($found): it is left alone; give an empty disk." ;;
  esac
  mount -o noatime "$DISK" "$BASE" ||
    fail "The data disk $DISK could not be mounted: run e2fsck on it, or give an empty one."
}

# dpkg first goes on where a reset has interrupted it; without that, apt-get refuses everything.
try_install() {
  dpkg --force-confdef --force-confold --configure -a || true
  apt-get --quiet update &&
    apt-get --quiet --yes --no-install-recommends -o "DPkg::Lock::Timeout=$PATIENCE" install "${PACKAGES[@]}"
}

# Unattended upgrades are at work at a first boot, too; apt-get waits for dpkg's lock, not for the lists' one.
packages() {
  local log=$RUN/apt.log began=$SECONDS cure="the subnet needs Cloud NAT, or the image these packages"
  until try_install >"$log" 2>&1; do
    if grep -Eq '^E: (Could not get lock|Unable to (lock|acquire))|was locked by' "$log"; then
      ((SECONDS - began > PATIENCE)) || { sleep 5; continue; }
      cure="for $PATIENCE s another program has held the lock; see which one, then start the boot again"
    fi
    fail "No container runtime, and apt-get could not install ${PACKAGES[*]} ($(last_line "$log")): $cure."
  done
}

# The container runtime; the accelerator image has none. Its data is on the data disk, to outlive the VM.
runtime() {
  mkdir -p "$BASE/docker" /var/lib/docker
  if [[ -n $DISK && ! "$BASE/docker" -ef /var/lib/docker ]]; then
    # After a reboot, Docker is up before this script and must not see its folder change.
    systemctl stop docker.socket docker.service 2>/dev/null || true
    mount --bind "$BASE/docker" /var/lib/docker
  fi
  # A reset in the middle of an installation leaves packages whose programs are there and do not work.
  if ! docker compose version >/dev/null 2>&1 || [[ -n $(dpkg --audit "${PACKAGES[@]}" 2>/dev/null) ]]; then
    packages
  fi
  systemctl start docker || fail "Docker does not start: see journalctl -u docker."
}

# The key of the clients, read with the VM's own identity into memory: on no disk, in no argument, in no log.
secrets() {
  mkdir -p "$BASE/run"
  mountpoint --quiet "$BASE/run" || mount -t tmpfs -o size=1m,mode=0700 tmpfs "$BASE/run"
  [[ -z $SECRET ]] || boot secret "$SECRET" "$BASE/run/api-key"
}

image() {
  docker image inspect "$IMAGE" >/dev/null 2>&1 && return 0
  local registry=${IMAGE%%/*}
  if [[ $registry == *.pkg.dev ]]; then
    boot token | docker login --username oauth2accesstoken --password-stdin "https://$registry" \
      >"$RUN/login.log" 2>&1 ||
      fail "$registry does not accept the VM's token ($(last_line "$RUN/login.log")): its account needs roles/artifactregistry.reader."
  fi
  # The disk was made for one image; that of a server that still runs stays.
  { docker container prune --force && docker image prune --all --force; } >"$RUN/prune.log" 2>&1 || true
  docker pull --quiet "$IMAGE" >"$RUN/pull.log" 2>&1 ||
    fail "The image $IMAGE could not be pulled: $(last_line "$RUN/pull.log")"
  # The login holds a token, if only for minutes.
  rm -rf "$DOCKER_CONFIG"
}

weights() { boot weights "$BUCKET" "$WEIGHTS" "$BASE/models/$MODEL" ${CHECKPOINT:+"$CHECKPOINT"}; }

# A cache that cannot be had only makes the boot longer. The status is that of one boot, and a full disk does not
# end it; a server that runs keeps its own.
cache() {
  mkdir -p "$BASE/status"
  mountpoint --quiet "$BASE/status" || mount -t tmpfs -o size=16m tmpfs "$BASE/status"
  systemctl is-active --quiet "$UNIT" || find "$BASE/status" -mindepth 1 -delete
  boot cache "$RUN/files/sidecar.json" "$BASE/cache/xla" "$BASE/status"
}

# The server under systemd: it is not enabled, so that no reboot starts it before these stages.
server() {
  local address
  address=$(metadata network-interfaces/0/ip)
  # Replaced whole: a half-copied folder of an interrupted boot would otherwise stay.
  rm -rf "$BASE/agent"
  cp -r "$RUN/files/agent" "$RUN/files/"*.yaml "$RUN/files/vllm.env" "$RUN/files/sidecar.json" "$BASE/"
  echo "TPUSERVE_ADDRESS=$address" >"$BASE/.env"
  cp "$RUN/files/"tpuserve-*.service /etc/systemd/system/
  systemctl daemon-reload
  systemctl reset-failed "$UNIT" "$SIDECAR_UNIT" 2>/dev/null || true
  # It gets no traffic, and this boot is another attempt.
  [[ -z $(boot rejection "$BASE/status") ]] || systemctl stop "$UNIT"
  systemctl start "$UNIT"
}

check_server() {
  if [[ $(systemctl show --property=ActiveState --value "$UNIT") == failed ]]; then
    fail "The server ended $STARTS times before it was accepted: $(boot complaint "$UNIT")"
  fi
}

health() {
  local began=$SECONDS
  until answers /health; do
    check_server
    if ((SECONDS - began > BUDGET)); then
      systemctl stop "$UNIT"
      if boot give-up "$BASE/cache/xla"; then
        # Perhaps it hung on a baked program; there is none any more.
        began=$SECONDS
        systemctl start "$UNIT"
        continue
      fi
      fail "The server did not answer after $BUDGET s and was stopped: see journalctl -u $UNIT."
    fi
    sleep 2
  done
}

# A rejected server stays up without traffic, so that somebody can look at it.
acceptance() {
  local began=$SECONDS rejection
  until answers /ready; do
    check_server
    rejection=$(boot rejection "$BASE/status")
    [[ -z $rejection ]] || fail "$rejection"
    # A server that was started again is accepted from the beginning.
    answers /health || began=$SECONDS
    ((SECONDS - began <= ACCEPTANCE)) ||
      fail "The server was not accepted within $ACCEPTANCE s: $(boot verdict "$BASE/status")"
    sleep 2
  done
}

mkdir -p "$RUN"
chmod 0700 "$RUN"
exec 9>"$RUN/lock"
if ! flock --nonblock 9; then
  # A restart of Google's unit does not end a script that runs. That boot may have read the key before a new
  # one was added; until it has made the folder, it will read the new one.
  if mountpoint --quiet "$BASE/run"; then secrets; fi
  say "another boot is running"
  exit 0
fi
(files) 2>"$RUN/files.err" || { say "files failed: $(last_line "$RUN/files.err")"; exit 1; }
boot report begin "$RELEASE"
for name in disk runtime secrets image weights cache server health acceptance; do stage "$name"; done
say "serving"
# The sidecar publishes the compile cache after the acceptance. What came of it is in the report.
boot published "$BASE/status" "$PATIENCE" || say "no word about the publication"
