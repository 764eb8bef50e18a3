"""The two errors that are answers: what was asked is wrong, or cannot be had here."""


class UsageError(ValueError):
    """What the user asked is wrong; the message says what was given, what is accepted, what next.

    The command line prints the message without a traceback and exits with code 2.
    """


class Unavailable(RuntimeError):
    """A value cannot be computed on this machine; the message is the reason and the mend.

    A metric that raises this becomes a null with its reason in the result, never a 0.
    """
