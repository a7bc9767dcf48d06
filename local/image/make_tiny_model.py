"""Writer of a tiny random Gemma 4 mixture of experts (text and image) in the Hugging Face layout.

A script for the model server's own Python (it needs torch and transformers): `tiny_model.py FOLDER`. The same
seed gives the same files. Its answers are words in random order. Everything else is as in the real model:
architecture, shapes that shard over four chips, processor, special tokens, chat template.
"""

import json
import string
import sys
from pathlib import Path

import torch  # pyright: ignore[reportMissingImports]
from transformers import (  # pyright: ignore[reportMissingImports]
    Gemma4Config,
    GemmaTokenizer,
)
from transformers.models.gemma4.modeling_gemma4 import (  # pyright: ignore[reportMissingImports]
    Gemma4ForConditionalGeneration,
)

SEED = 0
VOCABULARY = 1024
SPECIAL = tuple(
    """
    <pad> <eos> <bos> <unk> <mask> <|image> <image|> <|image|> <|video|> <|audio> <audio|> <|audio|>
    <|turn> <turn|> <|channel> <channel|> <|think|> <|tool> <tool|> <|tool_call> <tool_call|>
    <|tool_response> <tool_response|> <|"|>
    """.split()  # noqa: SIM905
)
WORDS = tuple(
    """
    a above after air all and apple around as at autumn before below between bird blue boat book
    bread bridge bright but calm carry city clear climb cloud cold come cool dance dark day deep
    door dream early earth east eight evening every far field find fire first five flower fly follow
    forest four friend from garden gentle give glass go gold good grass green grow happy hear hill
    home horse house in into island jump keep kind lake lamp large leaf learn light listen little
    long look love make many map may meet milk moon morning mountain music near never new night nine
    north of old on one open over paper path people quick quiet rain read red river road room round
    sand sea see seven silver sing six sky slow small snow song south spring star stone story summer
    sun swim tall tell ten the thing think three time to tree two under until valley village voice
    walk warm water west when white wide wind window winter with wonder wood word world year yellow
    young
    """.split()  # noqa: SIM905
)
PREFERENCE = 0.3
"""First coordinate of the embedding, by which this model prefers words (see `prefer_words`)."""

CHAT_TEMPLATE = """{{- bos_token -}}
{%- for message in messages -%}
{%- set turn = {'assistant': 'model', 'tool': 'user'} -%}
{{- '<|turn>' + turn.get(message.role, message.role) + '\n' -}}
{%- if loop.first and enable_thinking is defined and enable_thinking -%}{{- '<|think|>' -}}{%- endif -%}
{%- if message.content is string -%}
{{- message.content | trim -}}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}{{- '<|image|>' -}}
{%- elif part.type == 'text' -%}{{- part.text | trim -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<turn|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|turn>model\n' -}}{%- endif -%}
"""


def vocabulary() -> dict[str, int]:
    """Returns the vocabulary: specials, all bytes, printable characters, and whole words, which only the
    model's output uses."""
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    tokens += [character for character in string.printable if character not in " \x0b\x0c\r"]
    tokens += [f"▁{word}" for word in WORDS]
    assert len(set(tokens)) == len(tokens) <= VOCABULARY
    return {token: number for number, token in enumerate(tokens)}


def configuration(tokens: dict[str, int]) -> Gemma4Config:
    """Returns a configuration with Gemma 4 26B's kinds of layer at about a thousandth of its size.

    Four chips divide 4 sliding KV heads, 4 vision heads and 8 experts. The 2 KV heads of the full layer are
    fewer than the chips, as in the real model. Patch and pooling sizes and the 280 tokens of an image are the
    real ones.
    """
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "sliding_window": 64,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "num_global_key_value_heads": 2,
        "global_head_dim": 256,
        "attention_k_eq_v": True,
        "enable_moe_block": True,
        "num_experts": 8,
        "top_k_experts": 2,
        "moe_intermediate_size": 64,
        "hidden_size_per_layer_input": 0,
        "vocab_size_per_layer_input": VOCABULARY,
        "max_position_embeddings": 4096,
        "final_logit_softcapping": 30.0,
        "dtype": "bfloat16",
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1e6},
        },
    }
    vision = {
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 64,
        "patch_size": 16,
        "pooling_kernel_size": 3,
        "position_embedding_size": 10240,
        "default_output_length": 280,
        "dtype": "bfloat16",
    }
    return Gemma4Config(
        architectures=["Gemma4ForConditionalGeneration"],
        text_config=text,
        vision_config=vision,
        audio_config=None,
        tie_word_embeddings=True,
        dtype="bfloat16",
        pad_token_id=tokens["<pad>"],
        bos_token_id=tokens["<bos>"],
        eos_token_id=[tokens["<eos>"], tokens["<turn|>"]],
        image_token_id=tokens["<|image|>"],
        boi_token_id=tokens["<|image>"],
        eoi_token_id=tokens["<image|>"],
        video_token_id=tokens["<|video|>"],
        boa_token_id=tokens["<|audio>"],
        eoa_token_index=tokens["<audio|>"],
        audio_token_id=tokens["<|audio|>"],
    )


def prefer_words(model: Gemma4ForConditionalGeneration, tokens: dict[str, int]) -> None:
    """Make the answers readable: words win over single characters, bytes and specials.

    The first coordinate of the residual stream is made a constant: no layer writes to it. The tied embedding
    holds +PREFERENCE there for words, a quarter of it for characters and -PREFERENCE for all other tokens.
    The last norm multiplies that coordinate, so it decides the kind of token, and the random rest decides
    which one.
    """
    text = model.model.language_model
    rows = text.embed_tokens.weight
    rows[:, 0] = -PREFERENCE
    for token, number in tokens.items():
        if token[1:] in WORDS and token[0] == "▁":
            rows[number, 0] = PREFERENCE
        elif number >= len(SPECIAL) and not token.startswith("<0x"):
            rows[number, 0] = PREFERENCE / 4
    for name, weight in text.layers.named_parameters():
        # Everything that a layer adds to the stream goes through one of these norms.
        if name.split(".")[1] in ("post_attention_layernorm", "post_feedforward_layernorm"):
            weight[0] = 0
    # Found by trial: the likeliest word gets a probability of some tenths, all other tokens almost none.
    text.norm.weight[:] = 6
    text.norm.weight[0] = 80


def processor(folder: Path) -> None:
    """Write the real image processor's settings; audio and video entries are there because the class needs
    them."""
    settings = {
        "processor_class": "Gemma4Processor",
        "image_seq_length": 280,
        "audio_seq_length": 750,
        "image_processor": {
            "image_processor_type": "Gemma4ImageProcessor",
            "patch_size": 16,
            "pooling_kernel_size": 3,
            "max_soft_tokens": 280,
            "do_resize": True,
            "do_rescale": True,
            "do_normalize": False,
            "do_convert_rgb": True,
        },
        "feature_extractor": {"feature_extractor_type": "Gemma4AudioFeatureExtractor"},
        "video_processor": {"video_processor_type": "Gemma4VideoProcessor"},
    }
    (folder / "processor_config.json").write_text(json.dumps(settings, indent=1))


def write(folder: Path) -> None:
    """Write the whole model into an existing empty folder."""
    tokens = vocabulary()
    names = ("image_token", "boi_token", "eoi_token", "audio_token", "boa_token", "eoa_token")
    values = ("<|image|>", "<|image>", "<image|>", "<|audio|>", "<|audio>", "<audio|>")
    tokenizer = GemmaTokenizer(
        vocab=tokens, merges=[], extra_special_tokens=dict(zip(names, values, strict=True))
    )
    known = set(values) | set(tokenizer.all_special_tokens)
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [token for token in SPECIAL if token not in known]},
        replace_extra_special_tokens=False,
    )
    assert len(tokenizer) == len(tokens), "a special token got a second number"
    tokenizer.chat_template = CHAT_TEMPLATE

    torch.manual_seed(SEED)
    with torch.no_grad():
        model = Gemma4ForConditionalGeneration(configuration(tokens)).to(torch.bfloat16)
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                torch.nn.init.normal_(parameter, std=0.05)
        prefer_words(model, tokens)
    model.generation_config.do_sample = True
    model.generation_config.top_k, model.generation_config.top_p = 64, 0.95
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor(folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
