"""``python -m bench`` lists the benches, ``python -m bench NAME ...`` runs one with its own arguments."""

import importlib
import sys

BENCHES = ("compare", "fairness", "features", "lists", "night", "reader", "service", "soak")


def main() -> None:
    """Run the bench that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in BENCHES:
        del sys.argv[1]
        sys.exit(importlib.import_module(f"bench.{name}").main())
    print("python -m bench NAME [--help], where NAME is one of")
    for bench in BENCHES:
        text = importlib.import_module(f"bench.{bench}").__doc__ or ""
        print(f"  {bench:<12} {text.splitlines()[0]}")
    sys.exit(2 if name else 0)


main()
