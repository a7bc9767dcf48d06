"""The only exception that the command line shows to a user."""


class Refusal(Exception):
    """A failure that the user can act on. The text is shown as it is, without a traceback.

    It is the whole message: what was asked, what is possible, what to change.
    """
