"""`python -m orchestration`: the command `throughline` of this very checkout."""

from orchestration.cli import main

if __name__ == "__main__":
    main()
