"""Commands for a stack of TPU VMs: through Google's APIs, and through SSH and IAP with gcloud."""

import contextlib
import shutil
import subprocess
from collections.abc import Generator

from config.targets import TpuVmTarget
from operate import machines, secret, tunnel
from operate.diagnosis import Finding, of_machines
from operate.diagnosis.evidence import PodPages
from operate.diagnosis.machine_stages import Machine, MachineEvidence
from serving.deploy import collector, container_layout
from serving.deploy.systemd_units import COLLECTOR_UNIT, SIDECAR_UNIT, UNIT
from tools.support import chat
from tools.support.progress import Refusal, say

BOOT_UNIT = "google-startup-scripts"
"""Unit of Google's guest agent that runs the boot (docs/operations-tpu-vm.md)."""

READ_KEY = f"sudo systemctl restart {BOOT_UNIT}"
"""Command on a machine that has its boot read the key again, also while that boot is running."""

UNITS = {
    container_layout.SERVER: UNIT,
    container_layout.SIDECAR: SIDECAR_UNIT,
    collector.SERVICE: COLLECTOR_UNIT,
    "boot": BOOT_UNIT,
}
"""systemd unit of each component."""

LOGIN = "you need `gcloud auth login` and the roles in docs/operations-tpu-vm.md, What a boot does"
_OWN_ADDRESS = (
    "$(curl -fsS -H Metadata-Flavor:Google "
    "http://metadata.google.internal/computeMetadata/v1/instance/network-interfaces/0/ip)"
)
METRICS = "; ".join(
    f"curl -fsS http://{address}:{port}/metrics; echo"
    for address, port in (
        (tunnel.LOOPBACK, container_layout.SIDECAR_PORT),
        (_OWN_ADDRESS, container_layout.PORT),
    )
)
"""Command on a machine that prints the metrics of its sidecar, on loopback, and of its server, on the
machine's address. One that does not answer prints nothing."""


class MachineStack:
    """One stack of TPU VMs."""

    def __init__(self, stack: str, target: TpuVmTarget, *, machines: int, with_key: bool) -> None:
        self._stack, self._target, self._wanted, self._with_key = stack, target, machines, with_key

    def status(self) -> str:
        """Returns a line for each machine: zone, state, the group's action, health and boot."""
        evidence = self._evidence()
        lines = [f"{'machine':<32}{'zone':<18}{'state':<12}{'action':<12}{'health':<12}boot"]
        for machine in evidence.machines:
            boot = (machine.report or {}).get("state", "no report")
            row = f"{machine.name:<32}{machine.zone:<18}{machine.state or '-':<12}{machine.action:<12}"
            lines.append(f"{row}{machine.health or '-':<12}{boot}")
        lines += [f"error: {text}" for text in evidence.group_errors[:3]]
        return "\n".join([*lines, f"{len(evidence.machines)} of {evidence.wanted} machines exist", ""])

    def logs(self, component: str) -> str:
        """Returns the end of a systemd unit's log on each machine. Raises Refusal for another component."""
        if component not in UNITS:
            raise Refusal(
                f"A stack of TPU VMs has no component {component!r}: choose one of {', '.join(UNITS)}."
            )
        words = f"sudo journalctl --no-pager --lines 200 --unit {UNITS[component]}"
        return "".join(
            f"== {machine.name}\n{self._ssh(machine, words)}" for machine in self._running(self._evidence())
        )

    def ask(self, prompt: str, max_tokens: int) -> None:
        """Prints the answer of a machine that serves to one chat message. Raises Refusal."""
        serving = [machine for machine in self._evidence().machines if machine.serves]
        if not serving:
            raise Refusal(f"No machine of {self._stack} serves: run `make why STACK={self._stack}`.")
        key = secret.read(self._stack, self._target) if self._with_key else None
        with self._tunnel(serving[0]) as port:
            server = chat.Server(self._stack, f"http://{tunnel.LOOPBACK}:{port}", key)
            for piece in server.ask(prompt, max_tokens):
                print(piece, end="", flush=True)
            print()

    def is_rolled_out(self) -> bool:
        """Raises Refusal: Google's provider waits for a group of machines itself."""
        raise Refusal(
            f"STACK={self._stack} is on TPU VMs, and `pulumi up` ends when their rollout does: run "
            f"`make status STACK={self._stack}`."
        )

    def why(self) -> tuple[list[Finding], str]:
        """Returns what each stage came to, and the sentence with the cause. Raises Refusal."""
        evidence = self._evidence()
        pages = {machine.name: self._pages(machine) for machine in evidence.machines if machine.serves}
        return of_machines(evidence, pages)

    def rotate_key(self) -> None:
        """Adds a new key to the secret, and has each machine read it, one after another.

        Raises Refusal: before the key is added if a machine cannot be logged in to, and afterwards with each
        machine that has not read it.
        """
        running = self._running(self._evidence())
        for machine in running:
            self._ssh(machine, "true")
        secret.add(self._stack, self._target)
        without = list[str]()
        for machine in running:
            # The boot finds everything in place but the key, which it writes again. The server keeps running.
            try:
                self._ssh(machine, READ_KEY)
            except Refusal as refusal:
                say(f"   {refusal}")
                without.append(machine.name)
            else:
                say(f"   {machine.name} has read the new key")
        if without:
            raise Refusal(
                f"The new key is set, and {', '.join(without)} may still accept the old one: run "
                f"`{READ_KEY}` there."
            )
        failed = [machine for machine in self._evidence().machines if not machine.serves]
        if failed:
            raise Refusal(
                f"The new key is set, and machine {failed[0].name} does not serve: run `make why "
                f"STACK={self._stack}`."
            )
        say(f"A new API key is set on {len(running)} machines. They reject the old key.")

    def _evidence(self) -> MachineEvidence:
        return machines.evidence(self._stack, self._target, self._wanted)

    def _running(self, evidence: MachineEvidence) -> list[Machine]:
        """Returns the machines that can be logged in to. Raises Refusal when there is none."""
        running = [machine for machine in evidence.machines if machine.runs]
        if not running:
            raise Refusal(f"No machine of {self._stack} runs: run `make why STACK={self._stack}`.")
        return running

    def _gcloud(self, machine: Machine, *words: str) -> list[str]:
        """Returns the words of a gcloud command about a machine. Raises Refusal."""
        program = shutil.which("gcloud")
        if program is None:
            raise Refusal(
                f"STACK={self._stack} is on TPU VMs, which are reached with gcloud, and it is not on PATH: "
                "install the Google Cloud CLI (https://cloud.google.com/sdk/docs/install)."
            )
        return [program, *words, "--project", self._target.project, "--zone", machine.zone]

    def _login(self, machine: Machine) -> list[str]:
        """Returns the words of an SSH login through IAP."""
        # Of Google Cloud CLI 528, only the alpha command for the Cloud TPU API knows IAP.
        group = "alpha compute tpus tpu-vm" if self._target.api == "cloud-tpu" else "compute"
        login = self._gcloud(machine, *group.split(), "ssh", machine.name)
        return [*login, "--tunnel-through-iap", "--quiet"]

    def _ssh(self, machine: Machine, command: str) -> str:
        """Returns the output of a command on a machine. Raises Refusal."""
        words = [*self._login(machine), f"--command={command}"]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
            raise Refusal(f"A command on machine {machine.name} failed ({reason}): {LOGIN}.")
        return done.stdout

    @contextlib.contextmanager
    def _tunnel(self, machine: Machine) -> Generator[int]:
        """Yields a local port that leads to a machine's server while the block runs. Raises Refusal."""
        port = tunnel.free_port()
        if self._target.api == "cloud-tpu":
            # IAP's own tunnel does not know the machines of this API, and the server listens on the address.
            forward = f"{tunnel.LOOPBACK}:{port}:{machine.address}:{container_layout.PORT}"
            words = [*self._login(machine), "--", "-N", "-L", forward]
        else:
            words = self._gcloud(
                machine, "compute", "start-iap-tunnel", machine.name, str(container_layout.PORT)
            )
            words.append(f"--local-host-port={tunnel.LOOPBACK}:{port}")
        with tunnel.opened(words, [port], LOGIN):
            yield port

    def _pages(self, machine: Machine) -> PodPages:
        """Returns the metrics of a machine's sidecar and server; empty when nobody can log in."""
        try:
            return PodPages(metrics=self._ssh(machine, METRICS))
        except Refusal as refusal:
            say(f"   {machine.name} was not asked for its metrics: {refusal}")
            return PodPages()
