r"""The built-in world's tokenizer: one token a character, `\boxed{` one token too, 42 tokens in all.

It is a Qwen2 tokenizer without merges, because AutoTokenizer turns the tokenizer of any Qwen2 folder into one, whatever
the folder says; `\boxed{` is an added token, which survives that. It never adds a token of its own (no `<bos>`), so a
prompt's tokens are the same whether the caller asks for special tokens or not. Characters outside VOCABULARY vanish.
"""

import string

from openrlhf_unlearn.worlds.task import EOS

PAD, BOX = "<pad>", "\\boxed{"
VOCABULARY = (PAD, EOS, *string.digits, *string.ascii_uppercase, "=", "#", BOX, "}")


def build_tokenizer():
    """A `transformers` Qwen2Tokenizer whose ids are the positions in VOCABULARY."""
    from transformers import AddedToken, Qwen2Tokenizer

    tokenizer = Qwen2Tokenizer(
        vocab={token: i for i, token in enumerate(VOCABULARY)},
        merges=[],
        pad_token=PAD,
        eos_token=EOS,
        unk_token=EOS,  # never used; Qwen2's default would add a token of its own
        padding_side="left",
        model_max_length=128,
    )
    tokenizer.add_tokens([AddedToken(BOX, special=False, normalized=False)])
    return tokenizer
