"""Files and names of a deployed server: container layout, release, compose file, VM boot."""
