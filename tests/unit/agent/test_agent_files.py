"""The agent's files where they run: exactly those that were delivered, by the digest that a release names."""

from pathlib import Path

from agent import agent_files, bundle


def test_the_digest_follows_the_text_and_the_path() -> None:
    files = bundle.files()
    first = agent_files.digest(files)
    assert first == agent_files.digest(bundle.files()) and len(first) == 64
    changed = {**files, "agent/server/guard.py": files["agent/server/guard.py"] + "\n"}
    moved = {path.replace("request_rules", "more_rules"): text for path, text in files.items()}
    assert len({first, agent_files.digest(changed), agent_files.digest(moved)}) == 3


def test_what_is_installed_is_what_was_delivered(tmp_path: Path) -> None:
    bundle.main(tmp_path)
    compiled = tmp_path / "agent" / "__pycache__" / "guard.cpython-312.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"\xff")
    assert agent_files.installed(tmp_path) == bundle.files()


def test_a_mounted_configmap_is_read_once(tmp_path: Path) -> None:
    """The kubelet links to files in a hidden folder (kubernetes: pkg/volume/util/atomic_writer.go)."""
    bundle.main(tmp_path / "..2026_11_29_10_00_00.1")
    (tmp_path / "..data").symlink_to("..2026_11_29_10_00_00.1")
    for name in ("agent", bundle.METADATA):
        (tmp_path / name).symlink_to(f"..data/{name}")
    assert agent_files.installed(tmp_path) == bundle.files()
