"""How resources are made: no configuration, no stack names, no environments."""
