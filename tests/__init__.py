"""The tests. pandas is as the service has it; pyarrow reads what the service wrote."""

from photseries.lean import import_pandas

import_pandas()
