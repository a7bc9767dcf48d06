"""Keys and certificates: made once, kept while they are good, made again when anything is wrong with them."""

import datetime
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from local.cluster import constants, kubeconfigs, pki
from tools.support import paths
from tools.support.progress import Refusal


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own for each test."""
    monkeypatch.setenv("TPUSERVE_CACHE", str(tmp_path))


def contents() -> dict[str, bytes]:
    """Every file of the PKI folder."""
    return {file.name: file.read_bytes() for file in constants.pki().iterdir()}


def changed(damage: Callable[[], object]) -> set[str]:
    """Returns the names of the files that a second `ensure` replaces after `damage`."""
    pki.ensure()
    before = contents()
    damage()
    pki.ensure()
    after = contents()
    return {name for name in after if after[name] != before.get(name)}


def pair(name: str) -> set[str]:
    """A certificate's file and its key's."""
    return {f"{name}.crt", f"{name}.key"}


EVERY_LEAF = {name for leaf in pki.LEAVES for name in pair(leaf.name)}


def halve(file: Path) -> None:
    """Leaves a file as an interrupted copy does."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def swap_keys() -> None:
    """A certificate beside another's key."""
    pki.key("admin").write_bytes(pki.key("scheduler").read_bytes())


DAMAGES: list[tuple[str, Callable[[], object], set[str]]] = [
    ("nothing", lambda: None, set()),
    ("half a certificate", lambda: halve(pki.certificate("admin")), pair("admin")),
    ("an empty key", lambda: pki.key("kubelet").write_text(""), pair("kubelet")),
    ("another's key", swap_keys, pair("admin")),
    ("a missing certificate", lambda: pki.certificate("apiserver").unlink(), pair("apiserver")),
    ("no CA key", lambda: pki.key("ca").unlink(), pair("ca") | EVERY_LEAF),
    ("half a CA certificate", lambda: halve(pki.certificate("ca")), pair("ca") | EVERY_LEAF),
    ("no public token key", lambda: pki.service_account_public_key().unlink(), set()),
    (
        "a damaged token key",
        lambda: halve(pki.key("service-accounts")),
        {"service-accounts.key", "service-accounts.pub"},
    ),
]


@pytest.mark.parametrize(("damage", "renewed"), [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES])
def test_exactly_what_is_damaged_is_made_again(damage: Callable[[], object], renewed: set[str]) -> None:
    assert changed(damage) == renewed
    assert pki.service_account_public_key().exists()


def test_certificates_near_their_end_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    pki.ensure()
    before = contents()
    monkeypatch.setattr(pki, "RENEW_DAYS", pki.LEAF_DAYS + 1)
    pki.ensure()
    after = contents()
    assert {name for name in after if after[name] != before[name]} == EVERY_LEAF


def test_changed_addresses_make_new_server_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    pki.ensure()
    before = contents()
    moved = tuple(
        pki.Leaf(leaf.name, leaf.common_name, leaf.organization, (*leaf.names, "10.9.9.9"))
        if leaf.names
        else leaf
        for leaf in pki.LEAVES
    )
    monkeypatch.setattr(pki, "LEAVES", moved)
    pki.ensure()
    after = contents()
    servers = {name for leaf in moved if leaf.names for name in pair(leaf.name)}
    assert {name for name in after if after[name] != before[name]} == servers


def test_trust_is_as_old_as_the_ca_and_the_token_key() -> None:
    times: list[datetime.datetime] = []
    for lost in ("", "admin", "ca", "service-accounts"):
        if lost:
            pki.key(lost).unlink()
        time.sleep(0.02)
        pki.ensure()
        times.append(pki.trusted_since())
    assert times[0] == times[1] < times[2] < times[3]


def test_certificates_say_who_and_for_what() -> None:
    pki.ensure()
    authority = x509.load_pem_x509_certificate(pki.certificate("ca").read_bytes())
    for leaf in pki.LEAVES:
        found = x509.load_pem_x509_certificate(pki.certificate(leaf.name).read_bytes())
        found.verify_directly_issued_by(authority)
        usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        server = ExtendedKeyUsageOID.SERVER_AUTH in usage
        assert server == bool(leaf.names), "a server's certificate is no client's"
        lifetime = found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        assert datetime.timedelta(days=360) < lifetime < datetime.timedelta(days=366)
        assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)


def test_only_root_reads_the_files() -> None:
    pki.ensure()
    kubeconfigs.ensure(has_state=False)
    files = [*constants.pki().iterdir(), paths.kubeconfig()]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert constants.pki().stat().st_mode & 0o777 == 0o700


def test_the_kubeconfig_names_the_context_and_the_bridge() -> None:
    pki.ensure()
    kubeconfigs.ensure(has_state=False)
    config = json.loads(paths.kubeconfig().read_text())
    assert config["current-context"] == "tpuserve-local"
    assert config["clusters"][0]["cluster"]["server"] == "https://10.200.0.1:6443"


@pytest.mark.parametrize(
    "content", [None, "", "{}", '{"resources": []}', '{"resources": [{"providers": [7]}]}']
)
def test_a_lost_encryption_key_is_refused_with_state_and_made_without(content: str | None) -> None:
    pki.ensure()
    kubeconfigs.ensure(has_state=False)
    first = kubeconfigs.encryption().read_text()
    kubeconfigs.ensure(has_state=True)
    assert kubeconfigs.encryption().read_text() == first
    if content is None:
        kubeconfigs.encryption().unlink()
    else:
        kubeconfigs.encryption().write_text(content)
    with pytest.raises(Refusal, match=r"missing or damaged.*restore the file.*clean"):
        kubeconfigs.ensure(has_state=True)
    kubeconfigs.ensure(has_state=False)
    assert kubeconfigs.encryption().read_text() != first
