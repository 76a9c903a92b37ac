"""Services: objects of plain classes that live in a server, and their proxies in clients.

On the server, `begin` makes the object and `table` lists what clients may use of it; the calls are
made in Rust. In a client, `proxy` makes a class from that list.
"""
