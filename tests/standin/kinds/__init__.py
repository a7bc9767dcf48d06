"""The resource types that the stand-in knows, one module a family; each module adds its own."""
