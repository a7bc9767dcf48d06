"""How long a server takes to start, and every timeout that follows from it."""
