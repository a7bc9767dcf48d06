"""Objects in a Kubernetes cluster, one component a file."""
