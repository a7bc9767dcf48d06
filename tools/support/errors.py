"""The only exception that the command line shows to a user."""


class Refusal(Exception):
    """Failure that the user can act on. Its text is shown without a traceback.

    The text is the whole message: what was asked, what is possible, what to change.
    """
