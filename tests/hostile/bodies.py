"""Request bodies of JSON: too deep, too long, twice the same key, and columns that are none."""

from tests.hostile.cases import ACCEPT, REJECT, Case, some_frame

_DATA = b'"data":{"mjd":[1.5,2.5],"flux":[1.0,2.0]}'
_ONE = b'"data":{"mjd":[1.5],"flux":[1.0],"x":[%s]}'


def _keys(count, separator=b":"):
    return b",".join(b'"k%d"%b1' % (number, separator) for number in range(count))


def _in_field(value):
    return b'{{fields},"altdata":' + value + b"," + _DATA + b"}"


BODIES = {
    "nothing": b"",
    "not JSON": b"{fields}",
    "a list": b"[{{fields}}]",
    "a number": b"5",
    "NaN": b'{{fields},"data":{"mjd":[1.5],"flux":[NaN]}}',
    "Infinity": b'{{fields},"data":{"mjd":[1.5],"flux":[Infinity]}}',
    "-Infinity": b'{{fields},"data":{"mjd":[-Infinity],"flux":[1.0]}}',
    "nested 33 deep": _in_field(b'{"a":' + b"[" * 31 + b"]" * 31 + b"}"),
    "nested 100,000 deep": _in_field(b"[" * 100_000 + b"]" * 100_000),
    "objects 5,000 deep": _in_field(b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "open brackets": b"[" * 200_000,
    "a key twice": b'{{fields},"altdata":{"a":1,"a":2},' + _DATA + b"}",
    "data twice": b"{{fields}," + _DATA + b"," + _DATA + b"}",
    "a key twice, one escaped": b'{{fields},"altdata":{"a":1,"\\u0061":2},' + _DATA + b"}",
    "a column twice": b'{{fields},"data":{"mjd":[1.5],"flux":[1.0],"flux":[2.0]}}',
    "an integer of 65 bits": b"{{fields}," + _ONE % b"18446744073709551616" + b"}",
    "an integer of 64 bits, unsigned": b"{{fields}," + _ONE % b"18446744073709551615" + b"}",
    "an integer of 10,000 digits": b"{{fields}," + _ONE % (b"9" * 10_000) + b"}",
    "a long integer in altdata": _in_field(b'{"a":-9223372036854775809}'),
    "ragged": b'{{fields},"data":{"mjd":[1.5,2.5],"flux":[1.0]}}',
    "mixed": b"{{fields}," + _ONE % b'"a",1' + b"}",
    "true among numbers": b'{{fields},"data":{"mjd":[1.5,true],"flux":[1.0,2.0]}}',
    "columns of lists": b"{{fields}," + _ONE % b"[1]" + b"}",
    "columns of objects": b"{{fields}," + _ONE % b'{"a":1}' + b"}",
    "a column that is a number": b'{{fields},"data":{"mjd":1.5,"flux":[1.0]}}',
    "data as a list": b'{{fields},"data":[[1.5,1.0]]}',
    "data as a number": b'{{fields},"data":5}',
    "no base64": b'{{fields},"data":"&&&"}',
    "base64 with a byte more": b'{{fields},"data":"iUhERg0KGg="}',
    "NUL in a name": b'{{fields},"data":{"mjd":[1.5],"flux":[1.0],"a\\u0000":[1]}}',
    "NUL in a text": b"{{fields}," + _ONE % b'"\\u0000"' + b"}",
    "half a surrogate pair": b"{{fields}," + _ONE % b'"\\ud800"' + b"}",
    "not UTF-8": b"{{fields}," + _ONE % b'"\xff\xfe"' + b"}",
    "a name of 256 bytes": b'{{fields},"data":{"mjd":[1.5],"flux":[1.0],"%s":[1]}}' % (b"x" * 256),
    "1,025 columns": b'{{fields},"data":{"mjd":[1.5],"flux":[1.0],%s}}'
    % b",".join(b'"c%d":[1]' % number for number in range(1023)),
    "a path": b'{{fields},"origin":"../../x",' + _DATA + b"}",
    "a float beyond all": b"{{fields}," + _ONE % b"1e999" + b"}",
    "a comma too many": b'{{fields},"data":{"mjd":[1.5,],"flux":[1.0]}}',
    "a comment": b"{/* */{fields}," + _DATA + b"}",
    "more after the end": b"{{fields}," + _DATA + b"}{}",
    "310,000 unknown keys": b"{" + _keys(310_000) + b",{fields}," + _DATA + b"}",
    "24,000 unknown keys": b"{" + _keys(24_000) + b",{fields}," + _DATA + b"}",
    "24,000 keys with spaces": b"{" + _keys(24_000, b" : ") + b",{fields}," + _DATA + b"}",
    "60,000 keys in many objects": _in_field(b'{"a":[' + b",".join([b"{" + _keys(20_000) + b"}"] * 3) + b"]}"),
    "24,000 keys in altdata": _in_field(b"{" + _keys(24_000) + b"}"),
    "24,000 columns": b'{{fields},"data":{"mjd":[1.5],"flux":[1.0],' + _keys(24_000) + b"}}",
    "a key twice in 8 MB": b'{{fields},"x":1,"x":2,"data":{"mjd":[' + b"1.5," * 2_000_000 + b"1.5]}}",
    "20 MB of the letter n": _in_field(b'{"a":"' + b",n" * 10_000_000 + b'"}'),
    "20 MB of escaped colons": _in_field(b'{"a":"' + b"\\u003a" * 3_300_000 + b'"}'),
    "20 MB of numbers in altdata": _in_field(b'{"a":[' + b"1," * 10_000_000 + b"1]}"),
    "20 MB of group_ids": b'{{fields},"group_ids":[' + b"1," * 10_000_000 + b"1]," + _DATA + b"}",
    "20 MB of texts in a column": b'{{fields},"data":{"mjd":[' + b'"",' * 6_600_000 + b'""]}}',
    "33 MB of texts in a column": b'{{fields},"data":{"mjd":[' + b'"",' * 11_000_000 + b'""]}}',
    "20 MB of base64 with spaces": b'{{fields},"data":"' + b"aG " * 6_600_000 + b'"}',
    "altdata of 100 kB": _in_field(b'{"a":"' + b"x" * 100_000 + b'"}'),
}


def cases():
    """Yield the cases."""
    for name, body in BODIES.items():
        yield Case(f"body: {name}", REJECT, lambda traps, b=body: b, is_body=True)
    frame = some_frame()[["mjd", "flux"]]
    columns = b",".join(
        b'"%s":[%s]' % (name.encode(), b",".join(repr(float(value)).encode() for value in frame[name]))
        for name in frame
    )
    yield Case("body: columns", ACCEPT, lambda traps: b'{{fields},"data":{' + columns + b"}}", frame, is_body=True)
