"""Objects in a Kubernetes cluster, one component in each file."""
