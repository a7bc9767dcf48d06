"""Fake Google Cloud behind the ordinary Pulumi CLI: see README.md beside this file."""
