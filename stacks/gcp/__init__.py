"""What the stacks on Google Cloud share: provider, foundation, checks, provisioning."""
