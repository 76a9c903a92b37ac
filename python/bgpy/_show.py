"""Shows what the command ``bgpy`` hands over on standard input: ``python -m bgpy._show``."""

from ._bgpy import show

if __name__ == "__main__":
    print(show())
