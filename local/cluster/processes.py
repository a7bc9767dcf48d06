"""The cluster's daemons: launched without a supervisor, and found again by a mark in their environment.

Each daemon leads its own session and has `TPUSERVE_PROCESS=<cluster folder>|<name>|<fingerprint of its
command line and configuration>` in its environment. The kernel keeps that mark in /proc for exactly as long
as the process lives. So there is no pid file that could outlive a crash or a reboot, name a recycled pid, or
be missing because `start` was killed between launching and recording. Processes that the daemons start
(container shims, CNI plugins) inherit the mark and are found by it too.
"""

import contextlib
import hashlib
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.cluster import constants
from local.cluster.health import CHECKS
from tools.support import paths
from tools.support.atomic_file import write
from tools.support.progress import Refusal, say

MARK = "TPUSERVE_PROCESS"
LOG_BYTES = 16 * 1024 * 1024
TAIL_LINES = 8
POLL_SECONDS = 0.1
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Daemon:
    """Command line, files and settings of one process.

    `files` are written before the launch. The fingerprint covers them, the `inputs` (certificates) and the
    command line: when it changes, the next start restarts the process. `before_launch` runs each time before
    the process is started.
    """

    name: str
    argv: tuple[str, ...]
    files: Mapping[Path, str] = field(default_factory=dict[Path, str])
    inputs: tuple[Path, ...] = ()
    search_path: str = os.defpath
    before_launch: Callable[[], None] | None = None
    deadline_seconds: float = 60.0

    def fingerprint(self) -> str:
        """Returns a value that changes exactly when the process must be restarted to apply its settings."""
        digest = hashlib.sha256(repr((self.argv, sorted(self.files.items()), self.search_path)).encode())
        for file in self.inputs:
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Process:
    """Live process that carries the cluster's mark. `leader`: a daemon itself, not a process that it
    started."""

    pid: int
    folder: Path
    name: str
    fingerprint: str
    uptime_seconds: float
    leader: bool


def log_file(name: str) -> Path:
    """Returns the path of the file that receives the output of daemon `name`."""
    return constants.logs() / f"{name}.log"


def marked() -> list[Process]:
    """Returns every live process of any instance's cluster on this machine."""
    _reap()
    candidates = (_read(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in candidates if process is not None]


def daemons() -> dict[str, Process]:
    """Returns the live daemons of this instance by name."""
    return {p.name: p for p in marked() if p.leader and p.folder == paths.cluster()}


def _read(pid: int) -> Process | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        if f"{MARK}=".encode() not in environment:
            return None
        variables = dict(
            word.split("=", 1) for word in environment.decode("utf-8", "replace").split("\0") if "=" in word
        )
        # Parse after the last ")": the program's name may itself contain spaces and parentheses.
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        folder, name, fingerprint = variables[MARK].split("|")
    except (OSError, ValueError, KeyError):
        return None
    booted_ticks = int(status[19])  # field 22 of proc(5), starttime
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME) - booted_ticks / os.sysconf("SC_CLK_TCK")
    return Process(pid, Path(folder), name, fingerprint, uptime, leader=int(status[3]) == pid)


_launched: set[int] = set()


def _reap() -> None:
    """Reap the daemons that this Python process launched and that have ended; otherwise they stay as
    zombies."""
    for pid in list(_launched):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        _launched.discard(pid)


def launch(daemon: Daemon) -> bool:
    """Start `daemon` with its present settings if needed; return whether it was launched.

    A process that runs with other settings is stopped first. Does not wait for health: see `await_healthy`.
    """
    for file, content in daemon.files.items():
        write(file, content)
    fingerprint = daemon.fingerprint()
    running = daemons().get(daemon.name)
    if running is not None and running.fingerprint == fingerprint:
        return False
    if running is not None:
        say(f"   {daemon.name}: its settings changed, restarting it")
        stop(running)
    if daemon.before_launch is not None:
        daemon.before_launch()
    log = log_file(daemon.name)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    environment = {
        "PATH": daemon.search_path,
        "HOME": str(paths.cluster()),
        MARK: f"{paths.cluster()}|{daemon.name}|{fingerprint}",
    }
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    with _most_files():
        pid = os.posix_spawn(
            daemon.argv[0],
            daemon.argv,
            environment,
            setsid=True,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
    _launched.add(pid)
    # posix_spawn(3) returns before execve(2) has loaded the new program: until then /proc shows no mark.
    while _read(pid) is None and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.001)
    return True


@contextlib.contextmanager
def _most_files() -> Iterator[None]:
    """Let the launched process, and so the containers, open as many files as the machine allows."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def await_healthy(daemon: Daemon) -> None:
    """Wait until `daemon` is healthy; restart it once if it hangs.

    Raises Refusal with the end of the process's log when it ends early or stays unhealthy.
    """
    for attempt in (1, 2):
        deadline = time.monotonic() + daemon.deadline_seconds
        while time.monotonic() < deadline:
            if CHECKS[daemon.name]():
                return
            if daemon.name not in daemons():
                raise Refusal(_complaint(daemon.name, "ended right after its start"))
            time.sleep(POLL_SECONDS)
        if attempt == 1 and (running := daemons().get(daemon.name)) is not None:
            say(f"   {daemon.name}: no answer for {daemon.deadline_seconds:.0f} s, restarting it")
            stop(running)
            launch(daemon)
    raise Refusal(
        _complaint(daemon.name, f"does not answer its health check ({daemon.deadline_seconds:.0f} s)")
    )


def _complaint(name: str, what: str) -> str:
    log = log_file(name)
    end = "\n".join(f"    {line[:300]}" for line in tail(log, TAIL_LINES))
    return f"{name} {what}; the end of its log says why:\n{end}\n    Full log: {log}"


def tail(file: Path, lines: int) -> list[str]:
    """Returns the last `lines` lines of `file`, reading at most its last 256 KiB; [] when there is no
    file."""
    try:
        with file.open("rb") as handle:
            handle.seek(max(0, file.stat().st_size - 256 * 1024))
            return handle.read().decode("utf-8", "replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def stop(process: Process, seconds: float = STOP_SECONDS) -> None:
    """End one process: SIGTERM, then SIGKILL after `seconds`. Returns when it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # Read the mark again now that the handle holds the pid, which cannot be recycled from here on.
        if _read(process.pid) is None:
            return
        for number, wait in ((signal.SIGTERM, seconds), (signal.SIGKILL, STOP_SECONDS)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], wait)[0]:
                break
    finally:
        os.close(handle)
        _reap()
