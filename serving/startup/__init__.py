"""Estimate of a server's cold start, and every timeout that derives from it."""
