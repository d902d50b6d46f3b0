"""A network link to a server that can go silent, as when a cable is pulled: nobody is told, nothing is acknowledged.

It leads through a network namespace; needs root, and Linux.  See ip-netns(8) and veth(4).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.proxy import Proxy

_numbers = itertools.count(1)


class Link(NamedTuple):
    """Where a server is reached through it, and our end."""

    host: str
    port: int
    device: str

    def go_silent(self) -> None:
        """From now on nothing gets through, either way."""
        ip("-n", self.device, "link", "set", "far", "down")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _near(far: str) -> str:
    head, _, last = far.rpartition(".")
    return f"{head}.{int(last) - 1}"


@contextlib.contextmanager
def link_to(port: int) -> Iterator[Link]:
    """A link to that port of 127.0.0.1; the test is skipped where none can be made."""
    number = next(_numbers)
    name = f"wf{os.getpid() % 100_000}x{number}"
    far = f"10.{199 + number % 50}.{os.getpid() % 250}.2"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may make a network that goes silent")
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "far", "netns", name)
        ip("addr", "add", f"{_near(far)}/30", "dev", name)
        ip("link", "set", name, "up")
        for words in (["addr", "add", f"{far}/30", "dev", "far"], ["link", "set", "far", "up"]):
            ip("-n", name, *words)
        with Proxy("127.0.0.1", port, address=_near(far)) as near:
            words = [sys.executable, "-m", "tests.proxy", far, _near(far), str(near.port)]
            relay = subprocess.Popen(
                ["ip", "netns", "exec", name, *words], cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True
            )
            try:
                assert relay.stdout is not None
                yield Link(far, int(relay.stdout.readline()), name)
            finally:
                relay.kill()
                relay.communicate()
    finally:
        ip("netns", "del", name)
