"""The one exception that bad input raises: its text is the whole message that a user sees."""


class UserError(Exception):
    """The work could not be done. One line: what is wrong, where, and how to mend it (exit code 1)."""


class UsageError(UserError):
    """The command line contradicts itself or names something unknown (exit code 2)."""
