"""Zips that are made piece by piece, as the standard library reads them."""

import io
import tempfile
import zipfile
import zlib

from photseries.formats.zipped import Zip

GIB = 1024**3


def test_zip_with_more_than_65535_files_is_valid():
    content = io.BytesIO()
    with tempfile.TemporaryFile() as directory:
        made = Zip(directory)
        for number in range(66_000):
            body = str(number).encode()
            content.write(made.file(f"{number}.txt", len(body), zlib.crc32(body)) + body)
        for piece in made.end():
            content.write(piece)
    with zipfile.ZipFile(content) as archive:
        assert len(archive.namelist()) == 66_000
        assert archive.read("65999.txt") == b"65999"


def test_zip_with_lengths_beyond_32_bits_is_valid(tmp_path):
    """The long files are holes of a sparse file."""
    path = tmp_path / "large.zip"
    lengths = {"é.txt": 5, "long": 5 * GIB, "4 GiB": 4 * GIB, "last.txt": 4}
    with path.open("wb") as file, tempfile.TemporaryFile() as directory:
        made = Zip(directory)
        for name, length in lengths.items():
            body = name.encode()[:length] if length < GIB else b""
            file.write(made.file(name, length, zlib.crc32(body)) + body.ljust(length if length < GIB else 0))
            file.seek(length - min(length, GIB) and length, io.SEEK_CUR)
        for piece in made.end():
            file.write(piece)
    with zipfile.ZipFile(path) as archive:
        assert {one.filename: one.file_size for one in archive.infolist()} == lengths
        assert archive.read("last.txt") == b"last"
        with archive.open("long") as begin:
            assert begin.read(10) == bytes(10)
