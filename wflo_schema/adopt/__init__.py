"""Recognises what another tool made and recorded, and proves it before it is taken over."""
