"""`python -m tests.standin [engine address]`: the stand-in as a plugin of the Pulumi engine."""

from tests.standin.plugin import Provider
from tests.standin.serve import serve

if __name__ == "__main__":
    serve(Provider)
