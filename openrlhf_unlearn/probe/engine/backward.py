"""One forward and one weighted backward over a pack give the gradient of each of its pieces.

Hooks on the tapped modules keep what goes in, take the gradient that comes back at the output, and sum their outer
products piece by piece. The base model is frozen, nothing below the first tap is differentiated, no weight's gradient
is formed, and the head sees only the tokens that predict one. Sums are in float32 (float64 for a float64 model).
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from openrlhf_unlearn.errors import UserError
from openrlhf_unlearn.probe.engine.attention import KINDS, NAME, choose
from openrlhf_unlearn.probe.engine.layout import Layout, Segments
from openrlhf_unlearn.probe.engine.packing import Piece
from openrlhf_unlearn.probe.engine.subspace import Subspace, Tap
from openrlhf_unlearn.probe.words import note

HEAD_ROWS = 1024  # predictions whose logits are held at a time


class Backward:
    """Gradients of pieces in a subspace of `model`'s parameters; leaves the model frozen, in packed attention.

    The loss of a rollout is the mean negative log-likelihood of its tokens at `temperature`, times its weight.
    attention: "flex" or "batches"; what suits the model and its device unless given. states: of the last pack,
    (pieces, hidden), the last hidden state at the end of each piece's prompt.
    """

    def __init__(
        self,
        model,
        subspace: Subspace,
        temperature: float = 1.0,
        head_rows: int = HEAD_ROWS,
        attention: str | None = None,
    ):
        self.model, self.subspace, self.temperature, self.head_rows = model, subspace, temperature, head_rows
        model.eval().requires_grad_(False)
        model.set_attn_implementation(NAME)
        self.attention = attention or choose(model)
        self.device = model.get_input_embeddings().weight.device
        self.dtype = torch.float64 if model.dtype == torch.float64 else torch.float32
        self.head = model.get_output_embeddings()
        self.softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
        self.gradients: torch.Tensor | None = None  # of the pack under way
        self.handles = [self._attach(tap) for tap in subspace.taps]
        self._check()
        if self.attention == "flex":
            self._check_flex()

    def __call__(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """(pieces, dim) gradients of each piece's summed, weighted losses."""
        layout = self._layout(pieces)
        self.gradients = torch.zeros(len(pieces), self.subspace.dim, dtype=self.dtype, device=self.device)
        self.segments, self.slice, self.ids = layout.segments, slice(None), layout.input_ids[0]
        try:
            with torch.enable_grad():
                hidden = self._hidden(layout)
                sizes = torch.tensor(layout.predictions)
                self.states = hidden.detach()[0, layout.rows[sizes.cumsum(0) - sizes]]  # who predict first
                hidden.backward(self._head_gradient(hidden.detach()[0], layout)[None])
            return self.gradients
        finally:
            self.gradients = None

    def close(self) -> None:
        for handle in self.handles:
            handle.remove()

    def _layout(self, pieces: Sequence[Piece]) -> Layout:
        return Layout.of(pieces, self.device, KINDS[self.attention])

    def _hidden(self, layout: Layout) -> torch.Tensor:
        """(1, tokens, hidden) before the head."""
        output = self.model.base_model(
            input_ids=layout.input_ids, position_ids=layout.position_ids, use_cache=False, layout=layout
        )
        return output.last_hidden_state

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits = self.head(hidden)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        return torch.tanh(logits / self.softcap) * self.softcap if self.softcap else logits

    def _head_gradient(self, hidden: torch.Tensor, layout: Layout) -> torch.Tensor:
        """Gradient of the loss at the last hidden states, (tokens, hidden) → the same, `head_rows` rows at a time."""
        gradient = torch.zeros_like(hidden)
        owner = torch.repeat_interleave(torch.arange(len(layout.predictions)), torch.tensor(layout.predictions))
        for start in range(0, len(owner), self.head_rows):
            chunk = slice(start, start + self.head_rows)
            pieces, lengths = owner[chunk].unique_consecutive(return_counts=True)
            self.segments = Segments.of(lengths.tolist(), self.device)
            self.slice = slice(int(pieces[0]), int(pieces[-1]) + 1)
            rows = hidden[layout.rows[chunk]].requires_grad_()
            logits = self._logits(rows) / self.temperature
            losses = cross_entropy(logits, layout.targets[chunk], reduction="none")
            (back,) = torch.autograd.grad((losses * layout.weights[chunk].to(losses.dtype)).sum(), rows)
            gradient.index_add_(0, layout.rows[chunk], back)
        self.segments, self.slice = layout.segments, slice(None)
        return gradient

    # Hooks -------------------------------------------------------------------------------------------------------

    def _attach(self, tap: Tap):
        return self.model.get_submodule(tap.module).register_forward_hook(
            lambda module, inputs, output: self._watch(tap, module, inputs[0], output)
        )

    def _watch(self, tap: Tap, module: nn.Module, value: torch.Tensor, output: torch.Tensor) -> None:
        if self.gradients is None:
            return
        if not output.requires_grad:
            output.requires_grad_()
        right = self._right(tap, module, value.detach())
        output.register_hook(lambda gradient: self._add(tap, right, gradient))

    def _right(self, tap: Tap, module, value: torch.Tensor) -> torch.Tensor | None:
        """What of the forward pass the outer product needs: (rows, b); a norm's: its input, normalised."""
        if tap.kind == "linear":
            return _map(value.flatten(0, -2).to(self.dtype), tap.right)
        if tap.kind == "norm":
            value = value.to(self.dtype)
            eps = getattr(module, "variance_epsilon", getattr(module, "eps", 1e-6))
            return value * torch.rsqrt(value.pow(2).mean(-1, keepdim=True) + eps)
        return None

    def _add(self, tap: Tap, right: torch.Tensor | None, gradient: torch.Tensor) -> None:
        gradient = gradient.to(self.dtype)
        if tap.kind == "embedding":
            left, right = self._one_hot(tap), _map(gradient[0], tap.right)
        else:
            if tap.kind == "norm" and right is not None:
                gradient, right = gradient * right, None
            if gradient.ndim == 4:  # a norm of each head's query or key
                gradient = gradient.sum(-2)
            left = _map(gradient.flatten(0, -2), tap.left)
            right = left.new_ones(len(left), 1) if right is None else right
        block = slice(tap.start, tap.start + tap.size)
        assert self.gradients is not None  # or `_watch` had not asked for this
        self.gradients[self.slice, block] += self.segments.outer(left, right).flatten(1)

    def _one_hot(self, tap: Tap) -> torch.Tensor:
        if tap.left is not None:
            return tap.left.T[self.ids].to(self.dtype)
        return torch.nn.functional.one_hot(self.ids, tap.shape[0]).to(self.dtype)

    # Checked against the model's own logits and autograd ------------------------------------------------------------

    def _pieces(self, size: int) -> list[Piece]:
        """A piece of two rollouts and one of one; prompts of 2 · `size` and `size` tokens."""
        vocabulary = self.model.get_input_embeddings().weight.shape[0]
        ids = (torch.arange(6 * size) * 7 % vocabulary).tolist()
        two = Piece(0, ids[: 2 * size], [ids[2 * size : 4 * size], ids[3 * size : 5 * size - 1]], [1, 1])
        return [two, Piece(1, ids[:size], [ids[size : 2 * size + 1]], [1])]

    def _check(self) -> None:
        """Ask that packing gives the model's own logits, so that an architecture with surprises is no silent error."""
        pieces = self._pieces(2)
        layout = Layout.of(pieces, self.device)
        try:
            with torch.no_grad():
                ours = self._logits(self._hidden(layout)[0, layout.rows])
                self.model.set_attn_implementation("eager")
                whole = [(len(p.prompt), torch.tensor([[*p.prompt, *r]])) for p in pieces for r in p.responses]
                theirs = [self.model(ids.to(self.device)).logits[0, start - 1 : -1] for start, ids in whole]
        except TypeError as error:
            raise UserError(f"{type(self.model).__name__} is not supported: {error}") from None
        finally:
            self.model.set_attn_implementation(NAME)
        theirs = torch.cat(theirs).to(ours.dtype)
        if (ours - theirs).abs().max() > self._tolerance(1e-4) * theirs.abs().max():
            raise UserError(f"{type(self.model).__name__} is not supported: packed, it gives other logits")

    def _check_flex(self) -> None:
        """Go on with batches, and say so, where FlexAttention does not run or gives other gradients."""
        pieces = self._pieces(100)  # several blocks
        try:
            ours, reason = self(pieces), "it gives other gradients"
        except (RuntimeError, ImportError, OSError) as error:  # no compiler, no Triton, a head that no kernel takes
            ours, reason = None, str(error).strip().splitlines()[0]
        self.attention = "batches"
        theirs = self(pieces)
        if ours is not None and ((ours - theirs).norm(dim=1) <= self._tolerance(1e-3) * theirs.norm(dim=1)).all():
            self.attention = "flex"
        else:
            note(f"FlexAttention does not serve here ({reason}); going on without it")

    def _tolerance(self, exact: float) -> float:
        return 0.05 if self.model.dtype in (torch.bfloat16, torch.float16) else exact


def _map(values: torch.Tensor, matrix: torch.Tensor | None) -> torch.Tensor:
    """(rows, n) → (rows, kept)."""
    return values if matrix is None else values @ matrix.to(values.dtype).T
