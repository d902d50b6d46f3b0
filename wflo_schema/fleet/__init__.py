"""One operation over many targets: found, bounded, one outcome each."""
