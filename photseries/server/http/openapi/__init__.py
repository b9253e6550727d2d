"""The description of the API: ``/api/openapi.json`` and the page ``/docs/http``.

The document is generated from the route table, the contracts of the handlers (:mod:`photseries.server.http.contract`),
the tables of parameters, the marshmallow schemas, the columns of answers and the exception tree. It is made on the
first request, so that it does not delay the start.
"""
