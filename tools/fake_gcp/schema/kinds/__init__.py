"""Resource types that the stand-in knows, one module for each family; each module registers its own."""
