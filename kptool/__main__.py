"""`python -m kptool`."""

from kptool.cli import main

if __name__ == "__main__":
    main()
