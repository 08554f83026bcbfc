"""A machine of the Ray cluster went away during training: what is left of the error's trace is one line."""

LOST = (
    "a machine of the Ray cluster was lost. When it, or another, has joined (ray status), the same command with "
    "--ckpt.load_enable goes on from the last checkpoint"
)
_SIGNS = ("node has died", "node dying", "node died", "NodeDiedError")


def lost_a_node(error: BaseException) -> bool:
    """Whether Ray says so, in the error or in what it came from."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        if any(sign in f"{type(error).__name__}: {error}" for sign in _SIGNS):
            return True
        error = getattr(error, "cause", None) or error.__cause__ or error.__context__
    return False
