"""`python -m tools.fake_gcp [engine address]`: the fake cloud as a plugin of the Pulumi engine."""

from tools.fake_gcp.plugin import Provider
from tools.fake_gcp.serve import serve

if __name__ == "__main__":
    serve(Provider)
