"""`python -m tools.fake_gcp [engine address]`: the fake cloud as a plugin of the Pulumi engine."""

from tools.support.pulumi_messages import leave_out_the_sdk

if __name__ == "__main__":
    leave_out_the_sdk()
    from tools.fake_gcp.plugin import Provider
    from tools.fake_gcp.serve import serve

    serve(Provider)
