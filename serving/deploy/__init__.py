"""What a server is deployed with: paths, release, compose file, VM boot."""
