"""Diagnosis of a stack from documents that were read before. Pure.

`of_cluster` follows a server in Kubernetes in the order in which its pod meets things. `of_machines` does the
same for TPU VMs. Both return the findings in that order, and a sentence with the cause and the next command.
"""

from operate.diagnosis.cluster_stages import of_cluster
from operate.diagnosis.finding import Finding
from operate.diagnosis.machine_stages import of_machines

__all__ = ["Finding", "of_cluster", "of_machines"]
