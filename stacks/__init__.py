"""Which components, wired how: the only code that knows environments."""

import pulumi

from stacks.settings import Settings


def build(settings: Settings) -> None:
    """Declare the stack that `settings` describe; what could not work ends with its sentences alone."""
    try:
        match settings.target.kind:
            case "local":
                # Imported here: a provider's SDK takes seconds to load, and a stack needs only its own.
                from stacks import local

                local.build(settings)
    except ValueError as error:
        raise pulumi.RunError(str(error)) from None
