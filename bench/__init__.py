"""What is claimed about speed and faults, measured beside the alternatives in one run."""
