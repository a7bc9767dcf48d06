"""Accepted releases: read from the artifact bucket, promoted from stack to stack, and rolled back.

The files beside this one are promoted releases: `<name>.json` is the record of one, and
`agents/<digest>.json` holds its agent's files.
"""
