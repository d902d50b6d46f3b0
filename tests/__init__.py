"""Tests; a package, so that `from tests.conftest import …` finds one module however pytest was started."""
