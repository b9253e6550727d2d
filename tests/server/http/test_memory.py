"""Memory that a busy minute took goes back to the system."""

import subprocess
import sys

import pytest

#: Free a block that raises glibc's threshold, fill the heap, and free every other block of it.
FRAGMENTED = """
from pathlib import Path
import sys

from photseries.server.http.memory import return_freed_memory

if sys.argv[1] == "set":
    assert return_freed_memory()
MEBIBYTE = 1024 * 1024
del (block := [bytes(30 * MEBIBYTE)])[:]
blocks = [bytes([1]) * (2 * MEBIBYTE) for _ in range(100)]
del blocks[::2]
(resident,) = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line]
print(int(resident.split()[1]) // 1024)
"""


def resident(*arguments):
    """The memory of a process that has freed half of its blocks [MiB]."""
    done = subprocess.run([sys.executable, "-c", FRAGMENTED, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_freed_blocks_go_back_to_the_system():
    assert resident("set") < resident("leave") - 70
