"""``python -m photseries``."""

from photseries.cli import main

main()
