"""One real Kubernetes node on this machine, with the simulated TPU chips of three slices.

Public: `start`, `stop`, `clean`, `status`, `logs`, `import_image`.
"""

from local.cluster.images import import_image
from local.cluster.lifecycle import clean, start, stop
from local.cluster.status import Status, logs, status

__all__ = ["Status", "clean", "import_image", "logs", "start", "status", "stop"]
