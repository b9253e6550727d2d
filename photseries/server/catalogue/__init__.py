"""The rows: metadata, accounts and registries in PostgreSQL. The only package that uses SQL.

``engine`` has connections and transactions, ``models`` the tables, ``access`` the access control; ``series``,
``registries`` and ``references`` contain the statements, each a function that takes a connection; ``migrations``
creates and updates the schema.
"""
