"""`python -m longshore.main` is the `longshore` command."""

from longshore.main.command import main

main()
