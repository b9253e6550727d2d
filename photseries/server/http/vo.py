"""The handlers of the Virtual Observatory's protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs

from photseries.errors import InvalidError, NotFoundError, UnsupportedMediaTypeError
from photseries.formats.registry import WRITERS
from photseries.server.accounts import OPERATOR
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.credentials import Credential, origin_of, shown
from photseries.server.http.media import media_type_of
from photseries.server.http.sending import PIECE
from photseries.server.http.series import number_of
from photseries.server.vo import conesearch, datalink
from photseries.server.vo.observations import Observation

__all__ = ["ConeSearchHandler", "DataLinkHandler"]


_FORM: Final = "application/x-www-form-urlencoded"
_LONGEST_FORM: Final = 64 * 1024


def _joined(pieces: Iterable[str]) -> Iterator[bytes]:
    """Join short pieces of text: sending one costs more than making it."""
    waiting, length = [], 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= PIECE:
            yield "".join(waiting).encode()
            waiting, length = [], 0
    yield "".join(waiting).encode()


class _QueryHandler(BaseHandler):
    """A handler of questions, which DALI 1.1 lets clients ask by GET or POST alike: parameters may come in a form."""

    needs: ClassVar = {"GET": ANY, "POST": ANY}
    reads: ClassVar = ("GET", "HEAD", "POST")

    @property
    def longest_body(self) -> int:
        """How long a form may be [bytes]."""
        return _LONGEST_FORM

    def given_credential(self) -> Credential:
        """Return the credential of the request; a POST may have none, as it changes nothing here."""
        return shown(self.request, self.services.config, public=True)

    def arguments(self) -> dict[str, list[str]]:
        """Return the parameters of the query and of the form; call it in a thread.

        Raises
        ------
        UnsupportedMediaTypeError
        """
        given = super().arguments()
        with self._body.content() as content:
            if content and media_type_of(self.request.headers) != _FORM:
                raise UnsupportedMediaTypeError(f"Parameters come in the query, or in a body of the type {_FORM}.")
            for name, texts in parse_qs(content.decode("utf-8", "replace"), keep_blank_values=True).items():
                given.setdefault(name, []).extend(texts)
        return given


class ConeSearchHandler(_QueryHandler):
    """Simple Cone Search."""

    async def get(self) -> None:
        """Find series around a position, as Simple Cone Search 1.03 says: a VOTable, of errors too."""
        self.set_header("Content-Type", WRITERS["votable"].media_type)
        await self.stream(self._pieces(), heavy=False)

    post = get

    def _pieces(self) -> Iterator[bytes]:
        try:
            query, verbosity, most = conesearch.asked(self.arguments())
        except InvalidError as error:
            yield conesearch.error(error.message).encode()
            return
        service = origin_of(self.request, self.services.config.server)
        instrument = self._instruments()
        found = self.services.reader.find_all(self.principal, query) if most else iter(())
        observations = (Observation(one.fields, one.blob.size, instrument(one.fields), service) for one in found)
        yield from _joined(conesearch.answer(observations, verbosity, most, service))

    def _instruments(self) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        """Return what looks up the instrument of a series, each once."""

        @lru_cache(1000)
        def entry(instrument_id: int) -> Mapping[str, Any]:
            # Not as the principal: a change may have hidden the series since it was found.
            get = partial(self.services.accounts.get, OPERATOR, "instrument", str(instrument_id))
            return self.services.catalogue.repeated(get)

        return lambda fields: entry(fields["instrument_id"])


class DataLinkHandler(_QueryHandler):
    """DataLink."""

    async def get(self) -> None:
        """List the links of series (ID, several times): the light curve in every format, its metadata."""
        content = await self.run(lambda: datalink.document(list(self._links())))
        self.set_header("Content-Type", datalink.MEDIA_TYPE)
        await self.send([content.encode()])

    post = get

    def _links(self) -> Iterator[Mapping[str, Any]]:
        service = origin_of(self.request, self.services.config.server)
        given = {name.upper(): texts for name, texts in self.arguments().items()}.get("ID", [])
        if len(given) > datalink.MOST:
            raise InvalidError(f"{len(given):,} IDs are too many: at most {datalink.MOST:,} are answered at once.")
        for identity in given:
            try:
                found = self.services.reader.get(self.principal, number_of(identity))
                yield from datalink.links_of(identity, f"{service}/api/photometric_series/{identity}", found.blob.size)
            except NotFoundError as error:
                yield datalink.fault_of(identity, error.message)
