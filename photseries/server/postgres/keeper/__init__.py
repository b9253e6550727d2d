"""The keeper: a small process that owns the embedded PostgreSQL server of a data directory.

It makes the cluster at the first start, runs the postmaster as its child, starts it again when it dies, and stops it
when no service is left. The services need not know each other: each holds a shared lock on ``clients.lock`` for as long
as it uses the server, the kernel drops that lock however a service ends, and the keeper leaves when it can take the
lock alone.

======================  ==========================  ====================================================================
lock                    held by                     means
======================  ==========================  ====================================================================
``clients.lock``        services, shared            the server is wanted; held alone by a keeper that is leaving
``keeper.lock``         the keeper, alone           at most one keeper
``server.lock``         every process of a server   the files of the cluster are in use: inherited by the postmaster and
                                                    its backends, so the next server waits for the last of them
======================  ==========================  ====================================================================

The kernel interrupts the postmaster when its keeper dies (``PR_SET_PDEATHSIG``), so nothing outlives a ``kill -9`` of
everybody. All of this is Linux's. The keeper imports the standard library alone and runs without site-packages, in
11 MB.
"""
