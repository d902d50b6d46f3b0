"""A database as a frozen value: read, compared, mended, written down."""
