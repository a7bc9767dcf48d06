"""The local stack with the real CLI, provider, API server, kubelet and server."""

import json

from local.commands.kubectl import get, kubectl
from tests.cluster.commands import Server, local, pulumi


def test_up_ends_with_an_answer_from_the_server(server: Server) -> None:
    assert server.first.out.strip(), "make up prints the answer on standard output"
    for stage in ("programs", "cluster", "pulumi up", "first answer", "total"):
        assert stage in server.first.err, server.first.err


def test_a_second_up_changes_nothing(server: Server) -> None:
    again = local("up")
    assert again.code == 0, again.text
    assert "unchanged" in again.out and "created" not in again.out, again.out


def test_preview_after_up_shows_no_change(server: Server) -> None:
    done = pulumi("preview", "--stack", "local", "--expect-no-changes")
    assert done.code == 0, done.text


def test_refresh_shows_no_drift(server: Server) -> None:
    done = pulumi("refresh", "--stack", "local", "--preview-only", "--expect-no-changes")
    assert done.code == 0, done.text


def test_refresh_shows_a_change_made_behind_its_back(server: Server) -> None:
    kubectl("label", "service", "vllm", "-n", "tpuserve", "app.kubernetes.io/name=other", "--overwrite")
    try:
        done = pulumi("refresh", "--stack", "local", "--preview-only", "--expect-no-changes")
        assert done.code != 0 or "to update" in done.out, done.text
    finally:
        fixed = pulumi("up", "--stack", "local", "--yes", "--skip-preview", "--refresh")
        assert fixed.code == 0, fixed.text


def test_the_state_holds_no_secret_value(server: Server) -> None:
    exported = pulumi("stack", "export", "--stack", "local").out
    assert server.key not in exported
    assert "PRIVATE KEY" not in exported and "client-key-data" not in exported
    assert "kubernetes:core/v1:Secret" not in exported


def test_the_key_is_in_no_argument_list_and_no_environment(server: Server) -> None:
    pods = json.loads(kubectl("get", "pods", "-n", "tpuserve", "-o", "json"))["items"]
    assert pods
    assert server.key not in json.dumps(pods)
    script = (
        "import glob; print(b''.join(open(f, 'rb').read() for w in ('cmdline', 'environ') "
        "for f in glob.glob(f'/proc/[0-9]*/{w}')).replace(b'\\0', b'\\n').decode(errors='replace'))"
    )
    name = pods[0]["metadata"]["name"]
    words = kubectl("exec", "-n", "tpuserve", name, "--", "python3", "-c", script)
    assert "vllm" in words and server.key not in words


def test_the_pod_is_as_tight_as_promised(server: Server) -> None:
    pod = json.loads(kubectl("get", "pods", "-n", "tpuserve", "-o", "json"))["items"][0]
    container = pod["spec"]["containers"][0]
    assert container["resources"]["requests"]["google.com/tpu"] == "4"
    assert container["resources"]["limits"]["google.com/tpu"] == "4"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert not any("token" in json.dumps(volume) for volume in pod["spec"]["volumes"])
    labels = get("namespace", "tpuserve", "")["metadata"]["labels"]  # pyright: ignore
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
