"""Names that patched installations of an earlier release import; see `openrlhf_unlearn/host/cpu`."""
