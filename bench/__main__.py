"""``python -m bench`` lists the benches, ``python -m bench NAME ...`` runs one with its own arguments."""

import ast
import runpy
import sys
from pathlib import Path

BENCHES = ("bulk", "compare", "download", "features", "lists", "night", "reader", "service", "soak")


def main() -> None:
    """Run the bench that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in BENCHES:
        del sys.argv[1]
        runpy.run_module(f"bench.{name}", run_name="__main__", alter_sys=True)
        return
    print("python -m bench NAME [--help], where NAME is one of")
    for bench in BENCHES:
        text = ast.get_docstring(ast.parse((Path(__file__).parent / f"{bench}.py").read_text("utf-8"))) or ""
        print(f"  {bench:<12} {text.splitlines()[0]}")
    if name:
        raise SystemExit(2)


main()
