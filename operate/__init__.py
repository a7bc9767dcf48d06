"""Operation of a running stack: its status, its logs, an answer, the cause of a fault, and its API key.

`python -m operate COMMAND --stack NAME`, behind `make status`, `logs`, `ask`, `why` and `key`. Every kind of
stack is reached from a laptop: a cluster on GKE by the DNS name of its control plane, a TPU VM through IAP.
"""
