"""The keeper: a small process that owns the embedded PostgreSQL server of a data directory.

The keeper creates the cluster at the first start, runs the postmaster as its child, restarts it when it dies, and stops
it when no service is left. Services need no coordination: each holds a shared lock on ``clients.lock`` while it uses
the server, the kernel releases the lock however the service ends, and the keeper exits when it gets the lock
exclusively.

======================  ==========================  ====================================================================
lock                    held by                     means
======================  ==========================  ====================================================================
``clients.lock``        services, shared            the server is in use; held exclusively by an exiting keeper
``keeper.lock``         the keeper, exclusive       at most one keeper
``server.lock``         every process of a server   the files of the cluster are in use: inherited by the postmaster and
                                                    its backends, so the next server waits for the last of them
======================  ==========================  ====================================================================

The kernel interrupts the postmaster when its keeper dies (``PR_SET_PDEATHSIG``), so nothing outlives a ``kill -9`` of
all processes. All of this needs Linux. The keeper imports only the standard library and runs without site-packages, in
11 MB.
"""
