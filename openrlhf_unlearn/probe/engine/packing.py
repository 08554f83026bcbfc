"""Rollouts become packs: tokens side by side without padding, each prompt once for all rollouts that share its copy.

A prompt's rollouts of one class are dealt into units. A unit is the grain of everything later: its summed gradient is
known by itself, which the noise correction and its interval need, and its rollouts share one copy of the prompt. A unit
too long for a pack is cut into pieces; gradients add up, so the cut changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rollouts:
    """A prompt's token ids and, by class ("correct", "incorrect", any name), those of its responses.

    weights: by class, what each response's loss is multiplied by; 1 where it is not given.
    """

    id: str
    prompt: Sequence[int]
    responses: Mapping[str, Sequence[Sequence[int]]]
    weights: Mapping[str, Sequence[float]] | None = None


@dataclass(frozen=True)
class Piece:
    """Rollouts of one unit behind one copy of their prompt. Tokens are ids; weights scale each rollout's loss."""

    unit: int
    prompt: Sequence[int]
    responses: Sequence[Sequence[int]]
    weights: Sequence[float]

    @property
    def n_tokens(self) -> int:
        """Tokens that go through the model: a response's last token predicts nothing and stays out."""
        return len(self.prompt) + sum(len(response) - 1 for response in self.responses)


def deal(n: int, units: int) -> list[list[int]]:
    """Split rollouts 0 … n-1 into at most `units` lists whose sizes differ by at most one."""
    units = min(n, units)
    return [list(range(u, n, units)) for u in range(units)]


def cut(piece: Piece, tokens: int) -> list[Piece]:
    """Pieces of at most `tokens` tokens each; a single rollout longer than that stays whole."""
    pieces, start, size = [], 0, len(piece.prompt)
    for i, response in enumerate(piece.responses):
        if i > start and size + len(response) - 1 > tokens:
            pieces.append(_part(piece, start, i))
            start, size = i, len(piece.prompt)
        size += len(response) - 1
    return [*pieces, _part(piece, start, len(piece.responses))]


def _part(piece: Piece, start: int, end: int) -> Piece:
    return Piece(piece.unit, piece.prompt, piece.responses[start:end], piece.weights[start:end])


def packs(pieces: Iterable[Piece], tokens: int) -> Iterator[list[Piece]]:
    """Consecutive pieces in lists of at most `tokens` tokens (a longer piece is a list of its own)."""
    pack, size = [], 0
    for piece in pieces:
        if pack and size + piece.n_tokens > tokens:
            yield pack
            pack, size = [], 0
        pack.append(piece)
        size += piece.n_tokens
    if pack:
        yield pack
