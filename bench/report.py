"""What the benches print and keep: lines while they run, a Markdown table, a JSON file."""
from __future__ import annotations
def line(f):
    return f"{f.question:36} {f.principal:8} {f.order:9} {f.rows:>9,} p50 {f.p50:8.2f} p95 {f.p95:8.2f} sql {f.sql:8.2f} found {f.found} x{f.repeats}"
