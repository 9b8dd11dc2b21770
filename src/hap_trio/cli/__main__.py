"""`python -m hap_trio.cli` is `hap`."""

from hap_trio.cli import main

main()
