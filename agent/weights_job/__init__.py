"""Runs in the Job that stages weights, with the libraries of the server's image."""
