"""The compile cache of a release: from its archive in the bucket into JAX's folder, and back.

One implementation for a pod and a TPU VM. It needs only Python 3.10, without packages. Order of the calls:

    restore.restore     before the server: fills the folder; a failure costs time, never a boot. In a pod's
                        init container: python3 -m agent.compile_cache restore SIDECAR_FILE
    start.start         before each start of the server. In a pod: agent/server/cache_start.py
    trial.ready         when the server answers: trial.ready(folder, misses), which reports a baked cache's
                        result. In a pod: agent/sidecar/publication.py
    publish.publish     once, after acceptance: the result is for the status folder
    trial.stop          when somebody stops a server that has not answered, on a disk that outlives it

`records` has the arguments and results: Store.read(settings["store"]), Restored, Published.
"""
