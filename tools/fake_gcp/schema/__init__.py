"""Declarations of resource types: the SDK's, the real provider's and Google's, and the fake's own facts."""
