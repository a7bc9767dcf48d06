"""Checks before `pulumi up`: what a stack needs from this machine and from Google Cloud, one sentence each.

table.py names the checks, checks/ has them by subject, google.py asks Google's REST APIs.
"""
