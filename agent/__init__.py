"""What runs inside the model server's own processes. Standard library only; no other part of this project."""
