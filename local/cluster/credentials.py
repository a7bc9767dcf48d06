"""What is built from the PKI: the kubeconfigs, and the configuration that encrypts Secrets in etcd."""

import base64
import json
import secrets
from pathlib import Path

from local import paths
from local.cluster import pki, site
from local.cluster.files import write
from local.progress import Refusal

KEY_BYTES = 32  # secretbox: XSalsa20 and Poly1305 with a 256-bit key


def kubeconfig(name: str) -> Path:
    """Where the kubeconfig of the client `name` is; the administrator's is the one that users get."""
    return paths.kubeconfig() if name == "admin" else site.pki() / f"{name}.kubeconfig"


def encryption() -> Path:
    """EncryptionConfiguration with the key that Secrets are encrypted with in etcd."""
    return site.pki() / "encryption.json"


def ensure(*, has_state: bool) -> None:
    """Write the kubeconfigs, and the encryption key when there is none. `pki.ensure` comes first.

    `has_state`: etcd already holds a cluster. Raises Refusal when the encryption key is lost although there
    is state, whose Secrets nothing else can read.
    """
    if not _key_is_good():
        if has_state:
            raise Refusal(
                f"The key that Secrets are encrypted with ({encryption()}) is missing or damaged, and "
                "the cluster's data cannot be read without it: put the file back from a copy, or make a "
                "new cluster with `python -m local.cluster clean` and start again."
            )
        write(encryption(), json.dumps(_encryption(secrets.token_bytes(KEY_BYTES)), indent=1))
    for client in pki.CLIENTS:
        write(kubeconfig(client.name), json.dumps(_kubeconfig(client.name), indent=1))


def _key_is_good() -> bool:
    try:
        providers = json.loads(encryption().read_bytes())["resources"][0]["providers"]
        return len(base64.b64decode(providers[0]["secretbox"]["keys"][0]["secret"])) == KEY_BYTES
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _encryption(key: bytes) -> dict[str, object]:
    keys = [{"name": "first", "secret": base64.b64encode(key).decode()}]
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [{"secretbox": {"keys": keys}}]}],
    }


def _kubeconfig(name: str) -> dict[str, object]:
    def embedded(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    cluster = {"server": site.api_url(), "certificate-authority-data": embedded(pki.certificate("ca"))}
    user = {
        "client-certificate-data": embedded(pki.certificate(name)),
        "client-key-data": embedded(pki.key(name)),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": site.CONTEXT,
        "clusters": [{"name": site.CONTEXT, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": site.CONTEXT, "context": {"cluster": site.CONTEXT, "user": name}}],
    }
