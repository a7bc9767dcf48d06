"""What is known about an engine on a slice, for people: tables, boot-log check, compose files."""
