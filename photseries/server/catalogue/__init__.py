"""The rows: metadata, accounts and registries in PostgreSQL. The only package that uses SQL.

``engine`` has connections and transactions, ``models`` the tables, ``access`` who may see what; ``series``,
``registries`` and ``references`` hold the statements, each a function that takes a connection; ``migrations`` and
``embedded`` bring the schema and a server.
"""
