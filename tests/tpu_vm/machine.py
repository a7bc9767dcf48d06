"""Test machine for the boot script: systemd as process 1 in namespaces, on a private copy of Debian.

Different from a TPU VM: Debian 12 instead of Ubuntu 22.04, no TPU, no udev, the host's kernel, and no
resource limits. The same: systemd, Docker, Compose, mount, mkfs, apt, and every byte of the script.

Its systemd sees one control group of version 2, this machine's own, as the root of the tree, so it removes
only its own groups. The host's hierarchies, of version 1 or 2, are not mounted inside.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

ADDRESS = "10.128.0.2"
"""The machine's internal address."""

# Process 1 moves itself, so that its control group is the root of the namespace that it then creates. No
# other process is in that group: version 2 requires that of a group that passes controllers on.
ENTER = """
set -e
mount --make-rprivate /
mount -t cgroup2 cgroup2 "$ROOT"
mkdir "$ROOT/$NAME"
echo 0 > "$ROOT/$NAME/cgroup.procs"
umount "$ROOT"
exec unshare --cgroup sh -c "$START"
"""

START = """
set -e
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER/upper,workdir=$UPPER/work" "$ROOT"
cd "$ROOT"
mount -t proc proc proc
# The kernel's settings are the host's, all but those of the network.
mount --bind proc/sys/net mnt
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --move mnt proc/sys/net
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do cp -a "/dev/$name" dev/; done
mkdir -p dev/pts dev/shm dev/disk/by-id
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
cp -a "$LOOP" dev/
ln -s "/dev/${LOOP##*/}" "dev/disk/by-id/google-tpuserve-data"
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p opt/vllm
mount --bind -o ro "$ENVIRONMENT" opt/vllm
hostname "$NAME"
mkdir -p old
pivot_root . old
umount -l /old
exec env -i container=tpuserve PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no
"""

PREFIX = "tpuserve-machine-"
"""Prefix of the names of all machines."""

DIES_WITH_THE_TEST = ("setpriv", "--pdeathsig", "KILL")
"""Prefix of commands: when a test run is killed, its machine does not keep running."""

# Like Google's guest agent: fetch the attribute at each start and run it; its output is the serial console.
STARTUP_UNIT = """[Unit]
After=network-online.target
# Tests start it many times in a row.
StartLimitIntervalSec=0
[Service]
Type=oneshot
Environment=ATTRIBUTES=http://metadata.google.internal/computeMetadata/v1/instance/attributes
ExecStartPre=/bin/sh -c 'curl -sf -H Metadata-Flavor:Google $ATTRIBUTES/startup-script > /run/startup-script'
# A restart ends the runner, and the script goes on.
ExecStart=/bin/sh -c '/bin/bash /run/startup-script; exit $?'
KillMode=process
StandardOutput=append:/var/log/console
StandardError=append:/var/log/console
TimeoutStartSec=infinity
"""

# The node brings the server's Python, as a TPU VM's kernel brings /dev/vfio: not through the compose file.
# Where this machine lacks a capability itself, a privileged container starts without it. Every image trusts
# the certificates that the machine trusts.
RUNTIME = """#!/usr/bin/python3
import json, os, sys
words = sys.argv[1:]
with open("/proc/self/status") as status:
    mine = int(next(line.split()[1] for line in status if line.startswith("CapBnd:")), 16)

def change(path, bundle):
    with open(path) as file:
        config = json.load(file)
    process = config["process"] if bundle else config
    if bundle:
        for shared in ("/opt/vllm", "/etc/ssl/certs"):
            config["mounts"].append({"destination": shared, "type": "bind", "source": shared,
                                     "options": ["rbind", "ro", "rprivate"]})
        process["env"].append("SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt")
    for names in process.get("capabilities", {}).values():
        if not mine >> 24 & 1 and "CAP_SYS_RESOURCE" in names:
            names.remove("CAP_SYS_RESOURCE")
    with open(path, "w") as file:
        json.dump(config, file)

if "create" in words:
    change(os.path.join(words[words.index("--bundle") + 1], "config.json"), True)
elif "exec" in words and "--process" in words:
    change(words[words.index("--process") + 1], False)
os.execv("/usr/sbin/runc", ["runc", *words])
"""


class Machine:
    """One machine: its disk `folder`/disk, its root `folder`/upper; `name` is that of its network and its
    control group."""

    def __init__(self, folder: Path, tree: Path, environment: Path, disk_bytes: int) -> None:
        self.name = f"{PREFIX}{hashlib.sha256(str(folder).encode()).hexdigest()[:6]}"
        self.folder, self.tree, self.environment = folder, tree, environment
        self._process: subprocess.Popen[bytes] | None = None
        for part in ("upper", "work", "root"):
            (folder / part).mkdir(parents=True)
        with (folder / "disk").open("wb") as disk:
            disk.truncate(disk_bytes)
        self.loop = _output("losetup", "--find", "--show", str(folder / "disk"))
        # Detached from now on, the kernel keeps it as long as it is open, so a killed run leaves none behind.
        self._disk = os.open(self.loop, os.O_RDONLY)
        _output("losetup", "--detach", self.loop)
        sweep()
        _output("ip", "netns", "add", self.name)
        for address in (ADDRESS, "169.254.169.254", "127.0.0.2"):
            self._ip("address", "add", f"{address}/32", "dev", "lo")
        self._ip("link", "set", "lo", "up")

    def _ip(self, *words: str) -> None:
        _output("ip", "-netns", self.name, *words)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file into the machine's root; only while it is off."""
        target = self.folder / "upper" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def start(self) -> None:
        """Power on, and wait until systemd answers."""
        environment = {
            **os.environ,
            "LOWER": str(self.tree),
            "UPPER": str(self.folder),
            "ROOT": str(self.folder / "root"),
            "LOOP": self.loop,
            "ENVIRONMENT": str(self.environment),
            "NAME": self.name,
            "START": START,
        }
        inside = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        self._process = subprocess.Popen(
            [*DIES_WITH_THE_TEST, "nsenter", f"--net=/run/netns/{self.name}", *inside, "sh", "-c", ENTER],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "power.log").open("ab"),
            stderr=subprocess.STDOUT,
        )

        def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "power.log").read_text()
            return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

        wait_for(answers, 300)

    @property
    def init(self) -> int:
        """Returns the host's pid of the machine's process 1."""
        assert self._process is not None
        unshare = self._process.pid
        children = Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()
        return int(children[0])

    def command(self, *words: str) -> list[str]:
        """Returns the command line that runs `words` in the machine."""
        return [
            "nsenter",
            f"--target={self.init}",
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--net",
            "--cgroup",
            *words,
        ]

    def run(self, *words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine; the caller handles its exit code."""
        try:
            command = self.command(*words)
        except (IndexError, OSError):
            return subprocess.CompletedProcess(list(words), 255, "", "the machine is not up")
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)

    def read(self, path: str) -> str:
        """Returns the text of a file in the machine, empty where there is none."""
        return self.run("cat", path).stdout

    @property
    def status(self) -> dict[str, object]:
        """Returns the boot's own report."""
        text = self.read("/run/tpuserve/status.json")
        return json.loads(text) if text else {}

    def boot(self, timeout: float) -> dict[str, object]:
        """Run the start-up script as at power-on; return the boot's report."""
        self.run("systemctl", "start", "google-startup-scripts", timeout=timeout)
        return self.status

    def shut_down(self, seconds: float) -> bool:
        """Press the power button (ACPI soft off), and cut the power after `seconds`; return whether it was
        off before that."""
        assert self._process is not None
        self.run("systemctl", "poweroff")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        clean = self._process.poll() is not None
        self.unplug()
        return clean

    def unplug(self) -> None:
        """Cut the power: every process ends at once, and nothing is written any more."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(IndexError, ProcessLookupError):
                os.kill(self.init, signal.SIGKILL)
            self._process.wait(300)
        self._process = None
        wait_for(lambda: _removed(self.name), 120)

    def scrap(self) -> None:
        """Power off and leave only logs behind."""
        self.unplug()
        os.close(self._disk)
        subprocess.run(["ip", "netns", "delete", self.name], check=False)
        for part in ("upper", "work", "root"):
            shutil.rmtree(self.folder / part)
        (self.folder / "disk").unlink()


def sweep() -> None:
    """Remove what killed runs left; a network with a process in it belongs to another run."""
    for left in _output("ip", "netns", "list").split():
        if left.startswith(PREFIX) and not _output("ip", "netns", "pids", left):
            _output("ip", "netns", "delete", left)
            _removed(left)


# Use a separate mount namespace: the host may not have mounted version 2 at all. Remove children before
# parents.
REMOVE = """
mount --make-rprivate / && mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd /sys/fs/cgroup || exit
[ ! -d "$0" ] || find "$0" -depth -type d -exec rmdir {} +
"""


def _removed(name: str) -> bool:
    """Returns whether the control group is gone now; the kernel takes a moment to reap a group's last
    process."""
    words = ["unshare", "--mount", "sh", "-c", REMOVE, name]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def wait_for(condition: object, seconds: float) -> None:
    """Wait until `condition()` is true. Raises TimeoutError."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.2)


def _output(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
