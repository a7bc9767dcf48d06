"""The one guarded server that every test of this tier shares which only sends it requests."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import bundle
from agent.server import media
from local import image
from tests.vllm.running import Server, server

HERE = Path(__file__).parent
KEY = "a-key-of-these-tests"
BOS = "<bos>"
MEDIA_DOMAINS = ("localhost", "media.invalid")
"""Names that the system resolves to loopback and that it never resolves (RFC 6761)."""


def model_with_bos(folder: Path) -> Path:
    """Make the tiny model with a tokenizer that adds <bos> to a text.

    This is the default of Gemma's tokenizers: `add_bos_token` in transformers' GemmaTokenizer.
    """
    folder.mkdir()
    for file in image.ensure_model().iterdir():
        (folder / file.name).symlink_to(file)
    tokenizer = folder / "tokenizer.json"
    content = json.loads(tokenizer.read_text("utf-8"))
    template = content["post_processor"]
    (number,) = (token["id"] for token in content["added_tokens"] if token["content"] == BOS)
    template["single"].insert(0, {"SpecialToken": {"id": BOS, "type_id": 0}})
    template["special_tokens"][BOS] = {"id": BOS, "ids": [number], "tokens": [BOS]}
    tokenizer.unlink()
    tokenizer.write_text(json.dumps(content), "utf-8")
    return folder


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server with the delivered agent, a key, domains for media, and a template that shows tools."""
    folder = tmp_path_factory.mktemp("guarded")
    bundle.main(folder / "agent")
    (folder / "key").write_text(KEY, "utf-8")
    flags = (
        *("--enable-prompt-tokens-details", "--middleware", "agent.server.guard.Guard"),
        *("--chat-template", str(HERE / "tools_template.jinja"), "--allowed-media-domains", *MEDIA_DOMAINS),
    )
    environment = {
        "PYTHONPATH": str(folder / "agent"),
        "TPUSERVE_API_KEY_FILE": str(folder / "key"),
        media.VARIABLE: ",".join(MEDIA_DOMAINS),
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
    }
    model = model_with_bos(folder / "model")
    with server(folder, *flags, environment=environment, model=model, key=KEY) as running:
        yield running
