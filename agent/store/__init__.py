"""Google's metadata server and Cloud Storage, and files that a power cut leaves whole.

It needs only Python 3.10, without packages.
"""
