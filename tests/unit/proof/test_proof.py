"""Parts of a proof that need no library of the server: bad input, and the work folder."""

import json
import shutil
import tarfile
from collections import namedtuple
from pathlib import Path
from typing import IO, cast

import pytest

from agent.compile_cache import archive as agent_archive
from config.selection import from_settings
from config.settings import Settings
from proof import __main__ as command
from proof import bake, checkpoint, environment
from proof.environment import ProofError
from proof.work_folder import Record, WorkFolder
from serving.deploy import baked_cache
from serving.hardware.accelerators import accelerator
from serving.models.catalog import MODELS, model
from stacks.plan import plan
from tests.unit.serving.proved import program, proved

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with what a tokenizer's folder has."""
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    (folder / "config.json").write_text('{"text_config": {"eos_token_id": 1}, "model_type": "gemma4"}')
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "model.safetensors").write_text("weights")
    return folder


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--accelerator", "v6e-16"], "accelerator 'v6e-16' does not exist: there are v6e-1, "),
        (["--phase", "turbo"], "phase 'turbo' does not exist: there are baseline, "),
        (["--scenario", "batches"], "scenario 'batches' does not exist: there are "),
        (["--model", "gemma-5"], "model 'gemma-5' does not exist: there are "),
        (["--set", "max_num_seqs"], "--set max_num_seqs has no value; write --set max_num_seqs=VALUE"),
        (["--set", "max_num_seqs=0"], "engine.max_num_seqs is 0"),
        (
            ["--set", "num_gpu_blocks_override=99999"],
            "engine.num_gpu_blocks_override is 99,999 (--set): gpu_memory_utilization leaves room for 14,694",
        ),
        (["--accelerator", "local-v6e-4"], "the CPU stand-in, for which no TPU program is compiled: name"),
        (
            ["--accelerator", "v6e-8"],
            "engine.tensor_parallel_size is 4 and v6e-8 has 8 chips: a proof uses all of them; "
            "pass --set tensor_parallel_size=8",
        ),
        (["--bake"], "tuned sets no image, and a cache is for servers of one image: name a stack with TPUs,"),
        (["--bake", "--stack", "dev", "--quick"], "A cache has the programs of a whole boot"),
        (["--bake", "--stack", "dev"], "set tpuserve:image to vllm/vllm-tpu:v0.32.0 with its real digest"),
        (["--stack", "dev", "--phase", "tuned"], "--phase was given beside --stack, which names a whole"),
        (["--stack", "local"], "local-v6e-4, the CPU stand-in"),
        (["--stack", "foundation"], "is a foundation and serves nothing; name a stack with an engine"),
        (["--files", "/nowhere"], "/nowhere has no config.json or no tokenizer_config.json: pass"),
        (["--model", "gemma-4-12b-it"], "gemma-4-12b-it's vision tower, which no public source states"),
        (["--config", "/nowhere.json"], "/nowhere.json cannot be read (No such file or directory)"),
        (["--config", __file__], "test_proof.py is not valid JSON (Extra data: line 1 column 3 (char 2))"),
    ],
)  # fmt: skip
def test_bad_input(
    words: list[str], sentence: str, files: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(environment, "versions", lambda: environment.WRITTEN_FOR)
    given = ["--files", str(files), "--work", str(tmp_path / "work"), *words]
    assert command.main(given) == 2
    said = capsys.readouterr().err.strip()
    assert sentence in said
    assert said.endswith(".") and "Traceback" not in said


def test_a_python_without_the_servers_packages(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--files", str(files), "--work", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "A proof needs vllm-tpu 0.32.0, tpu-inference 0.32.0, jax 0.11.2, libtpu 0.0.48" in said
    assert "libtpu is absent: run it as `make prove`" in said


def test_another_libtpu_is_refused_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {**environment.WRITTEN_FOR, "libtpu": "0.0.49"}
    monkeypatch.setattr("importlib.metadata.version", installed.__getitem__)
    with pytest.raises(ProofError, match=r"libtpu is 0\.0\.49: run it as `make prove`"):
        environment.versions()


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 9, 10**8))
    with pytest.raises(ProofError, match=r"needs 2 GB below .*, and 0\.1 GB are free: free space"):
        WorkFolder(tmp_path, "graph", {})
    monkeypatch.undo()
    folder = WorkFolder(tmp_path, "graph", {})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ProofError, match=r"cannot be written \(the disk is full\): free space or"):
        folder.add(Record(number=1, kind="a", shape=""))
    assert folder.records() == {}


def test_what_is_finished_is_found_again_and_halves_are_not(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path, "graph", {"layers": 2})
    whole = Record(number=3, kind="sample", shape="num_reqs=8", key="jit_f-1", program=program("sample"))
    folder.add(whole)
    (folder.path / "0004.json").write_text(whole.model_dump_json()[:40])
    (folder.path / ".0005.json.77").write_text(whole.model_dump_json())
    again = WorkFolder(tmp_path, "graph", {"layers": 2})
    assert again.records() == {3: whole}
    assert WorkFolder(tmp_path, "graph", {"layers": 30}).records() == {}


def test_a_refusal_of_an_earlier_run_is_asked_again(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path, "graph", {})
    folder.add(Record(number=1, kind="a", shape="", program=program("a")))
    folder.add(Record(number=2, kind="b", shape="", refused="RESOURCE_EXHAUSTED: Out of memory."))
    assert set(folder.records()) == {1, 2}
    folder.forget_refusals()
    assert set(folder.records()) == {1} == set(WorkFolder(tmp_path, "graph", {}).records())


def test_a_program_is_one_process_s_at_a_time(tmp_path: Path) -> None:
    one, two = (WorkFolder(tmp_path, "graph", {}) for _ in range(2))
    with one.claimed(7) as first, two.claimed(7) as second, two.claimed(8) as other:
        assert (first, second, other) == (True, False, True)
    with two.claimed(7) as free:
        assert free


def test_the_configuration_says_what_the_table_says(files: Path, tmp_path: Path) -> None:
    spec = model("gemma-4-26b-a4b-it")
    checkpoint.write(checkpoint.configuration(spec, files, None), files, tmp_path / "made")
    made = json.loads((tmp_path / "made" / "config.json").read_text())
    text = made["text_config"]
    assert [kind == "full_attention" for kind in text["layer_types"]] == [
        kind == "full" for kind in spec.kv_layers
    ]
    assert sorted(map(int, text["per_layer_config"])) == [5, 11, 17, 23, 29]
    assert (text["num_experts"], text["top_k_experts"], text["moe_intermediate_size"]) == (128, 8, 704)
    assert text["eos_token_id"] == 1
    assert not (tmp_path / "made" / "model.safetensors").exists()
    provable = {name for name in MODELS if name in checkpoint._VISION}
    assert provable == set(MODELS) - {"gemma-4-12b-it", "tiny-gemma4-moe"}


def test_an_engine_s_environment_has_its_flags_as_a_server_has_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, str] = {"LIBTPU_INIT_ARGS": "--someone=else"}
    monkeypatch.setattr(environment.os, "environ", seen)
    environment.prepare({"NUM_PRECOMPILE_WORKERS": "8"}, accelerator("v6e-4"), tmp_path)
    # The import of tpu_inference in this process adds the second of the two.
    assert seen["LIBTPU_INIT_ARGS"].split() == [
        environment.IMPORT_FLAGS["LIBTPU_INIT_ARGS"],
        environment.CHIPS_FLAG,
    ]
    assert seen["XLA_FLAGS"] == environment.IMPORT_FLAGS["XLA_FLAGS"]
    assert seen["NUM_PRECOMPILE_WORKERS"] == "1"


IMAGE = "vllm/vllm-tpu:v0.32.0@sha256:" + "a" * 64
STACK = {
    "target": {"kind": "tpu-vm", "project": "my-project", "zone": "us-east5-b", "capacity": {"kind": "spot"}},
    "phase": "tuned",
    "image": IMAGE,
    "model_revision": "4" * 40,
    "engine": {"num_gpu_blocks_override": 14694},
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"image": "vllm/vllm-tpu:nightly"},
            "The image of dev is vllm/vllm-tpu:nightly, and a cache is for",
        ),
        (
            {"model_revision": None},
            "dev sets no tpuserve:model_revision, and a cache is for one commit of the weights: set",
        ),
        (
            {"engine": {}},
            "engine.num_gpu_blocks_override is not set, so .*; set it to 14694, for which 0",
        ),
    ],
)
def test_what_cannot_be_baked(change: dict[str, object], sentence: str) -> None:
    bake.check(from_settings("dev", Settings.parse(STACK)), whole=True)
    with pytest.raises(ProofError, match=sentence):
        bake.check(from_settings("dev", Settings.parse(STACK | change)), whole=True)


def test_what_is_baked_is_marked_and_holds_every_program(tmp_path: Path) -> None:
    selection = from_settings("dev", Settings.parse(STACK))
    folder = WorkFolder(tmp_path / "work", "graph", {})
    built = Record(number=1, kind="sample", shape="num_reqs=8", key="jit_sample-1", program=program("sample"))
    (folder.cache / "jit_sample-1-cache").write_bytes(b"a program")
    (folder.cache / "jit_of_another_run-2-cache").write_bytes(b"another")
    archive = bake.pack(selection, proved(program("sample")), [built], folder, tmp_path)
    # The name that a machine of such a stack looks for.
    stack = plan(Settings.parse(STACK), IMAGE)
    assert f"xla/{archive.name}" == baked_cache.name(stack.fingerprint)
    # As a machine unpacks it.
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    assert agent_archive.unpack(archive, unpacked).fingerprint == stack.fingerprint.digest
    assert [file.name for file in unpacked.iterdir()] == ["jit_sample-1-cache"]
    with tarfile.open(archive) as tar:
        manifest = json.load(cast(IO[bytes], tar.extractfile("manifest.json")))
    assert manifest["baked"] is True
    assert manifest["programs"] == {"jit_sample-1": "sample num_reqs=8"}
    assert manifest["fields"]["image"] == IMAGE

    lost = built.model_copy(update={"key": "jit_lost-3"})
    folder.add(lost)
    with pytest.raises(ProofError, match=r"lacks 1 of 2 programs, the first sample: run the same command"):
        bake.pack(selection, proved(program("sample")), [built, lost], folder, tmp_path)
    # Which compiles just what is missing; and the archive of before is whole.
    assert folder.records() == {}
    assert [file.name for file in tmp_path.glob("*.tar")] == [archive.name]
    assert not list(tmp_path.glob(".*"))
