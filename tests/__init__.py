"""The tests. pandas is as the service has it; pyarrow reads what the service wrote."""

from pathlib import Path

import pytest

from photseries.pandas_without_pyarrow import import_pandas

import_pandas()
# The assertions of helpers say what differs, as those of tests do.
pytest.register_assert_rewrite(*(f"{__name__}.{path.stem}" for path in Path(__file__).parent.glob("[!_]*")))
