"""A command that only answers does not wait for pandas."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

_PROGRAM = """
import json, sys
from assay.arrow import pa, without_pandas
{first}
names = pa.array(["a", None, "c"])
early = "pandas" in sys.modules
import pandas
frame = pandas.DataFrame({{"name": ["a", None], "value": [1.5, None]}})
back = pa.Table.from_pandas(frame).to_pylist()
print(json.dumps([early, back, pa.table({{"name": names}}).to_pandas()["name"].isna().tolist()]))
"""


@pytest.mark.parametrize("asked", [True, False])
def test_arrow_imports_pandas_only_where_nobody_says_otherwise(asked: bool) -> None:
    pytest.importorskip("pandas")
    program = _PROGRAM.format(first="without_pandas()" if asked else "")
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=paths)
    early, back, missing = json.loads(told.stdout)
    assert early is not asked
    assert back == [{"name": "a", "value": 1.5}, {"name": None, "value": None}] and missing == [False, True, False]
