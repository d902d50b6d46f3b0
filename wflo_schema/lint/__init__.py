"""Findings on migration files before they run: what they would block, break or lose, judged by a rehearsal."""
