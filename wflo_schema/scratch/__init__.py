"""Throwaway databases in which migrations are replayed, to see what they make."""
