"""Reads another tool's folder, writes it as files of ours, and proves that both make the same."""
