"""Kubeconfigs, and the configuration that encrypts Secrets in etcd. Both are built from the PKI."""

import base64
import json
import secrets
from pathlib import Path

from local.cluster import constants, pki
from tools.support import paths
from tools.support.atomic_file import write
from tools.support.progress import Refusal

KEY_BYTES = 32  # secretbox: XSalsa20 and Poly1305 with a 256-bit key


def kubeconfig(name: str) -> Path:
    """Returns the path of the kubeconfig of client `name`; users get the administrator's."""
    return paths.kubeconfig() if name == "admin" else constants.pki() / f"{name}.kubeconfig"


def encryption() -> Path:
    """Returns the path of the EncryptionConfiguration, which holds the key that encrypts Secrets in etcd."""
    return constants.pki() / "encryption.json"


def ensure(*, has_state: bool) -> None:
    """Write the kubeconfigs, and an encryption key when there is none. Call `pki.ensure` first.

    `has_state`: etcd already holds a cluster. Raises Refusal when there is state but the encryption key is
    lost, because nothing else can read the Secrets in that state.
    """
    if not _key_is_good():
        if has_state:
            raise Refusal(
                f"The key that encrypts Secrets ({encryption()}) is missing or damaged, and the cluster's "
                "data cannot be read without it: restore the file from a copy, or create a new cluster "
                "with `python -m local.cluster clean` and start again."
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

    cluster = {"server": constants.api_url(), "certificate-authority-data": embedded(pki.certificate("ca"))}
    user = {
        "client-certificate-data": embedded(pki.certificate(name)),
        "client-key-data": embedded(pki.key(name)),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": constants.CONTEXT,
        "clusters": [{"name": constants.CONTEXT, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": constants.CONTEXT, "context": {"cluster": constants.CONTEXT, "user": name}}],
    }
