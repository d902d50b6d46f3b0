"""Writes the two or three files by which a change is safe on a live database, right for the table as it is there."""
