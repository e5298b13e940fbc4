"""`python -m spadework` is `spadework`."""

from spadework.cli import main

main()
