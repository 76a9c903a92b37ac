"""Functions and classes pickled by value: how they are reduced, compared and rebuilt.

A *definition* is a function, a class or another named piece of code. One class stays one object in
each process, however often it arrives. `local` says which definitions must be pickled by value,
`define` reduces one for a pickle, `content` makes the digests that tell whether two are the same,
`resolve` chooses the object of this process that an arriving definition means, and `build` rebuilds
it if there is none.
"""
