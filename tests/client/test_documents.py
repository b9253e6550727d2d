"""The types of the documents that the client returns have the keys of the OpenAPI document."""

import pytest

from photseries.client import documents
from photseries.server.http.openapi.document import document
from photseries.server.http.server import API


@pytest.fixture(scope="module")
def schemas():
    return document(API, ("ztfg",))["components"]["schemas"]


@pytest.mark.parametrize(
    ("typed", "name", "path"),
    [
        (documents.WhoAmI, "WhoAmI", ()),
        (documents.Usage, "Usage", ()),
        (documents.Summary, "Summary", ()),
        (documents.Event, "History", ("history", "items")),
        (documents.Period, "Periods", ("periods", "items")),
        (documents.Periodogram, "Periodogram", ()),
        (documents.Peak, "Periodogram", ("peaks", "items")),
        (documents.SourcePeriodogram, "SourcePeriodogram", ()),
    ],
)
def test_typed_documents_have_the_keys_of_the_api(schemas, typed, name, path):
    schema = schemas[name]
    for step in path:
        schema = schema[step] if step == "items" else schema["properties"][step]
    assert set(typed.__annotations__) == set(schema["properties"])
    assert typed.__required_keys__ == set(schema["required"])
