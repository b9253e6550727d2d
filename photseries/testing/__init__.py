"""Support for users' tests: a real service in a temporary folder, and sample light curves.

The plugin :mod:`photseries.pytest_plugin` provides the same as fixtures.
"""

from photseries.testing.running import RunningService, run_service, service
from photseries.testing.samples import SAMPLES, Sample, upload_samples

__all__ = ["SAMPLES", "RunningService", "Sample", "run_service", "service", "upload_samples"]
