"""The description of the API: ``/api/openapi.json`` and the page ``/docs/http``.

Nothing here is a second list: the document follows from the route table, from what each verb states
(:mod:`photseries.server.http.contract`), the tables of parameters, the marshmallow schemas, the columns that answers
show and the tree of errors. It is made when somebody first asks, so that a start does not wait for it.
"""
