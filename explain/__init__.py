"""The numbers of serving/ for people: tables of engines, the check of a boot log, compose files."""
