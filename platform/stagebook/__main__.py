"""`python -m stagebook`."""

from stagebook.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
