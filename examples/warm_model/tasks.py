"""Tasks around a model that takes a while to load."""

from bgpy import respond

LARGEST = 2_000_000


def load_model():
    """Build a table of smallest prime factors: a stand-in for a model that takes long to load."""
    smallest = list(range(LARGEST + 1))
    for prime in range(2, int(LARGEST**0.5) + 1):
        if smallest[prime] == prime:
            for multiple in range(prime * prime, LARGEST + 1, prime):
                if smallest[multiple] == multiple:
                    smallest[multiple] = prime
    return smallest


def predict(model, number):
    """Return the prime factors of a number up to `LARGEST`."""
    factors = []
    while number > 1:
        factors.append(model[number])
        number //= model[number]
    return factors


def init_task():
    return {"model": load_model()}


def exec_task(client_socket, state, args):
    respond(client_socket, predict(state["model"], args["number"]))


def exit_task(client_socket, state, args):
    pass
