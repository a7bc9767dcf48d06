"""Template, tokenizer and next token of the tiny model, by transformers. `tiny_model_server.py FOLDER`."""

import json
import sys

import torch
from transformers import AutoTokenizer
from transformers.models.gemma4.modeling_gemma4 import Gemma4ForConditionalGeneration

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = Gemma4ForConditionalGeneration.from_pretrained(sys.argv[1], dtype=torch.bfloat16)


def prompt(content: object) -> str:
    messages = [{"role": "user", "content": content}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


text = prompt("Hello there")
tokens = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
with torch.no_grad():
    likely = torch.softmax(model(input_ids=tokens).logits[0, -1].float(), -1)
vocabulary = tokenizer.get_vocab()
spoken = [number for token, number in vocabulary.items() if token.strip("▁").isalnum() or len(token) == 1]
sample = "Hello, 1 + 1 = 2?"
print(
    json.dumps(
        {
            "prompt": text,
            "image": prompt([{"type": "text", "text": "Look"}, {"type": "image"}]),
            "words": float(likely[spoken].sum()),
            "round trip": tokenizer.decode(tokenizer(sample, add_special_tokens=False).input_ids),
        }
    )
)
