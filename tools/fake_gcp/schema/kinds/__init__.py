"""Resource types that the fake cloud knows, one module for each family; each module registers its own."""
