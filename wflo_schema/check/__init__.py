"""Holds a live database to its contract, its ledger and its migrations."""
