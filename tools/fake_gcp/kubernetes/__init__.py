"""Kubernetes side of a fake GKE cluster: a real control plane, GKE's types, and nodes kept alive by KWOK."""
