"""Does one thing for many targets, and compares them with each other."""
