"""How long functions and files of the package may be: see CONTRIBUTING.md."""

from __future__ import annotations

import ast
from pathlib import Path

import assay

SOURCE = Path(assay.__file__).parent
_MOST_LINES_OF_A_FUNCTION, _MOST_LINES_OF_A_FILE = 60, 350


def test_no_function_and_no_file_is_too_long() -> None:
    long: list[str] = []
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if len(text.splitlines()) > _MOST_LINES_OF_A_FILE:
            long.append(str(file.relative_to(SOURCE)))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > _MOST_LINES_OF_A_FUNCTION:
                    long.append(f"{file.relative_to(SOURCE)}: {node.name} has {lines} lines")
    assert not long
