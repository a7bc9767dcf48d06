"""Load test of a stack's server: `make load-test` starts a Job beside it and shows what it measured.

The Job itself is agent/load_test/.
"""
