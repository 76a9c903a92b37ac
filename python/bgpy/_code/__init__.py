"""Functions and classes that travel: what each side has of them, and how they are sent and built.

One class is one object in each process. `local` tells what has to travel at all, `content` what
makes two definitions the same, `known` which object stands for a definition here, `define` takes
one apart for a pickle, and `build` puts it together again, unless this process has it already.
"""
