"""Every request is answered, also when a module that is not Python breaks."""

import numpy as np
import pytest
from tsdownsample import MinMaxDownsampler

from photseries.server.http.shared import ThreadPool

TIMES_NEXT_TO_EACH_OTHER = np.arange(5000) * 5e-324


def panicking():
    MinMaxDownsampler().downsample(TIMES_NEXT_TO_EACH_OTHER, np.ones(5000), n_out=100)


def test_a_panic_of_native_code_is_an_exception_like_any_other():
    with pytest.raises(BaseException, match="out of bounds") as panic:
        panicking()
    assert not isinstance(panic.value, Exception), "what Tornado does not answer"
    with ThreadPool(1) as threads:
        with pytest.raises(RuntimeError, match="panicked") as raised:
            threads.submit(panicking).result()
        assert "out of bounds" in str(raised.value.__cause__)
        assert threads.submit(pow, 2, 3).result() == 8
