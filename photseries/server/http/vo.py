"""The handlers of the Virtual Observatory's protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import ClassVar, Final
from urllib.parse import parse_qs

from photseries.errors import InvalidError, NotFoundError, PhotseriesError, UnsupportedMediaTypeError
from photseries.formats.registry import WRITERS
from photseries.lightcurve.selection import NoRowsError
from photseries.parameters import FOLDED, PERIODOGRAM
from photseries.server.accounts import OPERATOR, Accounts
from photseries.server.catalogue import vo_queries
from photseries.server.http.analysis import FoldedHandler, PeriodogramHandler
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import Route
from photseries.server.http.credentials import Credential, credential_of
from photseries.server.http.media import media_type_of
from photseries.server.http.series import number_of
from photseries.server.http.tap import MAX_FORM_SIZE, URLENCODED, ProtocolHandler, VOHandler
from photseries.server.http.turns import MANY_ROWS
from photseries.server.vo import conesearch, datalink, moc, registry, soda
from photseries.server.vo.observations import Observation

__all__ = ["VO_ROUTES"]


class _QueryHandler(ProtocolHandler):
    """A handler of queries by GET or, with a form, by POST, as DALI 1.1 requires."""

    @property
    def max_body_length(self) -> int:
        """The maximum length of a form [bytes]."""
        return MAX_FORM_SIZE

    def arguments(self) -> dict[str, list[str]]:
        """Return the parameters of the query and of the form; call it in a thread.

        Raises
        ------
        UnsupportedMediaTypeError
        """
        arguments = super().arguments()
        with self._body.content() as content:
            if content and media_type_of(self.request.headers) != URLENCODED:
                raise UnsupportedMediaTypeError(f"Send parameters in the query, or in a body of type {URLENCODED}.")
            for name, texts in parse_qs(content.decode("utf-8", "replace"), keep_blank_values=True).items():
                arguments.setdefault(name, []).extend(texts)
        return arguments


class ConeSearchHandler(_QueryHandler):
    """Simple Cone Search."""

    async def get(self) -> None:
        """Find series around a position (Simple Cone Search 1.03); the answer, even an error, is a VOTable."""
        self.set_header("Content-Type", WRITERS["votable"].media_type)
        await self.stream(self.work.while_allowed(self._pieces()), heavy=False)

    post = get

    def _pieces(self) -> Iterator[bytes]:
        try:
            query, verbosity, limit = conesearch.parse(self.arguments())
        except InvalidError as error:
            yield conesearch.error(error.message).encode()
            return
        service = self.origin
        instrument = self._instruments()
        records = self.services.reader.find_all(self.principal, query) if limit else iter(())
        observations = (
            Observation(record.fields, record.blob.size, instrument(record.fields), service) for record in records
        )
        yield from conesearch.answer(observations, verbosity, limit, service)

    def _instruments(self) -> Callable[[Mapping[str, object]], Mapping[str, object]]:
        """Return a function that looks up the instrument of a series, with a cache."""

        @lru_cache(1000)
        def entry(instrument_id: int) -> Mapping[str, object]:
            # Without the principal, because the series may have become invisible since it was found.
            get = partial(self.services.accounts.get, OPERATOR, "instrument", str(instrument_id))
            return self.services.catalogue.with_retries(get)

        return lambda fields: entry(fields["instrument_id"])


class DataLinkHandler(_QueryHandler):
    """DataLink."""

    async def get(self) -> None:
        """List the links of series (ID, repeatable): the light curve in every format, metadata, services."""
        service = self.origin
        content = await self.run(lambda: datalink.document(list(self._links(service)), service))
        self.set_header("Content-Type", datalink.MEDIA_TYPE)
        await self.send([content])

    post = get

    def _links(self, service: str) -> Iterator[Mapping[str, object]]:
        identities = {name.upper(): texts for name, texts in self.arguments().items()}.get("ID", [])
        if len(identities) > datalink.MAX_IDS:
            raise InvalidError(
                f"{len(identities):,} IDs are too many: at most {datalink.MAX_IDS:,} are allowed in a request."
            )
        ids: dict[str, int] = {}
        for identity in identities:
            with suppress(NotFoundError):
                ids[identity] = number_of(soda.series_number(identity))
        sizes = self.services.reader.file_sizes(self.principal, set(ids.values()))
        for identity in identities:
            series_id = ids.get(identity)
            if series_id in sizes:
                url = f"{service}/api/photometric_series/{series_id}"
                yield from datalink.links_of(identity, url, sizes[series_id])
            else:
                yield datalink.fault_of(identity)


class SodaHandler(VOHandler):
    """SODA."""

    def error_body(self, error: PhotseriesError) -> bytes:
        """Send an error as text."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        return soda.error_text(error).encode()

    async def get(self) -> None:
        """Return the rows between two times (TIME) and some columns (COLUMN) of a series (ID), as SODA 1.0 does."""

        def cut() -> tuple[str, bytes]:
            identity, part, writer = soda.parse(self.given().texts)
            record = self.services.reader.get(self.principal, number_of(identity))
            self.weigh(record.fields["num_exp"] > MANY_ROWS)
            return writer.media_type, self.services.reader.file(self.principal, record, part, writer)[1]

        try:
            media_type, content = await self.run(cut, heavy=True)
        except NoRowsError:  # SODA 1.0, section 5.1
            self.set_status(204)
            await self.send([])
            return
        self.set_header("Content-Type", media_type)
        await self.send([content])

    post = get


class _OfSeriesHandler(BaseHandler):
    """An analysis of the series that the parameter ID names, for service descriptors."""

    def arguments(self) -> dict[str, list[str]]:
        """Return the query arguments without ID and without empty ones."""
        arguments = super().arguments()
        return {name: texts for name, texts in arguments.items() if name.upper() != "ID" and any(texts)}

    @property
    def identity(self) -> str:
        """The number of the series."""
        identities = [texts for name, texts in super().arguments().items() if name.upper() == "ID"]
        if len(identities) != 1 or len(identities[0]) != 1:
            raise InvalidError("The parameter ID must name one series.")
        return soda.series_number(identities[0][0])


class VOPeriodogramHandler(_OfSeriesHandler, PeriodogramHandler):
    """The periodogram of a series."""

    async def get(self) -> None:  # type: ignore[override]
        """Compute the periodogram of a series (ID)."""
        await self.answer(self.identity, PERIODOGRAM, self._compute)


class VOFoldedHandler(_OfSeriesHandler, FoldedHandler):
    """The folded light curve of a series."""

    async def get(self) -> None:  # type: ignore[override]
        """Fold the light curve of a series (ID) on a period."""
        await self.answer(self.identity, FOLDED, self._compute)


class MocHandler(VOHandler):
    """The coverage of the archive."""

    needs: ClassVar = {"GET": ANY}

    async def get(self) -> None:
        """Return the map of the positions of all series that are visible, as MOC 2.0."""

        def make() -> tuple[str, bytes]:
            texts = self.given().last
            name, order = moc.parse_parameters(texts.get("RESPONSEFORMAT") or texts.get("FORMAT"), texts.get("ORDER"))
            self.weigh()
            context = self.context(self.services.config.vo.timeout)
            pixels = vo_queries.pixels(self.services.catalogue, context, order)
            return moc.FORMATS[name], moc.write(moc.cells_of(pixels, order), name, order)

        media_type, content = await self.run(make, heavy=True)
        self.set_header("Content-Type", media_type)
        await self.send([content])


class RegistryHandler(VOHandler):
    """The records for registries."""

    needs: ClassVar = {"GET": None}

    async def get(self, name: str) -> None:
        """Return a record in VOResource."""
        await self.send_text(lambda: registry.record(name, self.origin, self.services.config.vo))


class LoginHandler(VOHandler):
    """The sign-in of clients with ``ivoa_bearer``, which exchange Basic credentials for a bearer token."""

    needs: ClassVar = {"GET": ANY}

    def given_credential(self) -> Credential:
        """Return the credential of the request, which must have one."""
        return credential_of(self.request, self.services.config, public=False)

    async def get(self) -> None:
        """Return the password, which is the token, as a bearer token."""
        credential = self.caller.credential
        await self.run(lambda: None)
        if credential is not None and credential.recognize is Accounts.authenticate:
            self.set_header("X-VO-Bearer-Token", credential.secret)
        self.name_user()
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        await self.send([b"OK\n"])


VO_ROUTES: Final[tuple[Route, ...]] = (
    (r"/vo/scs", ConeSearchHandler, {}),
    (r"/vo/datalink", DataLinkHandler, {}),
    (r"/vo/soda", SodaHandler, {}),
    (r"/vo/periodogram", VOPeriodogramHandler, {}),
    (r"/vo/folded", VOFoldedHandler, {}),
    (r"/vo/moc", MocHandler, {}),
    (r"/vo/registry/(.+)\.xml", RegistryHandler, {}),
    (r"/vo/login", LoginHandler, {}),
)
