"""``python -m wflo_schema``."""

from wflo_schema.cli import main

main()
