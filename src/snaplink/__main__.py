"""`python -m snaplink` is the command `snaplink`."""

from snaplink.cli import main

if __name__ == "__main__":
    main()
