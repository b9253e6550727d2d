"""pandas without pyarrow.

If pyarrow is installed, pandas imports it at once, which takes 35 MiB, and stores text differently. A service imports
pyarrow only when a request needs one of its two formats; its tables are the same with and without pyarrow.
"""

from __future__ import annotations

import sys

__all__ = ["import_pandas"]


def import_pandas() -> None:
    """Import pandas as if pyarrow were not there, which can be imported afterwards; without effect the second time."""
    if "pandas" in sys.modules or "pyarrow" in sys.modules:
        return
    sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        import pandas  # noqa: F401  for its effect
    finally:
        del sys.modules["pyarrow"]
