"""Read plain values from a pickle without executing it: an interpreter of ``pickletools.genops``.

HDF5 files written by pandas have pickled attributes. Loading a pickle executes code, so this module never loads one:
the interpreter knows the opcodes of plain containers and scalars, and, as inert symbols, the few functions that build
numpy scalars. It refuses every other name without looking it up.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from photseries.errors import UnreadableFileError
from photseries.hdf5.plain_scalar import SYMBOLS, Dtype, Symbol, call_known, printable, refusal

if TYPE_CHECKING:
    from photseries.hdf5.limits import Limits

__all__ = ["FOREIGN", "interpret"]

INTEGER_BITS: Final = 64


class _Foreign:
    """A placeholder for skipped objects."""

    def __repr__(self) -> str:
        return "FOREIGN"


FOREIGN: Final = _Foreign()
_KEYS: Final = (str, int, float, bool, type(None), bytes)


def interpret(data: bytes, limits: Limits, *, skip_foreign: bool = False) -> object:
    """Read a pickle of plain values.

    Parameters
    ----------
    data : bytes
        Of any protocol; bytes after its STOP are ignored, as in pickle.
    limits : Limits
        Its ``opcodes``, ``values``, ``text`` and ``depth``.
    skip_foreign : bool
        Replace objects of unknown classes by :data:`FOREIGN` instead of refusing them.

    Returns
    -------
    None, bool, int, float, str, bytes, list, tuple or dict
        A tree of these; numpy scalars have become Python's.

    Raises
    ------
    UnreadableFileError
        When the pickle holds anything else, is damaged, or is larger than the limits.
    """
    machine = _PickleMachine(limits.opcodes, skip_foreign=skip_foreign)
    try:
        value = machine.run(data)
    except (ValueError, IndexError, OverflowError) as error:
        # pickletools raises these on bytes that are not a pickle, as does a pop from the empty stack.
        raise UnreadableFileError("a pickle in it is damaged") from error
    return _Tree(limits).plain(value, 0)


class _Tree:
    """Copies a value so that nothing is shared, and counts its size: shared parts count at every occurrence."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.leaves = 0
        self.text = 0

    def plain(self, value: object, level: int) -> object:
        self.leaves += 1
        if self.leaves > self.limits.values:
            raise UnreadableFileError(f"it contains more than {self.limits.values:,} values")
        if isinstance(value, list | tuple | dict):
            if level >= self.limits.depth:
                raise UnreadableFileError(f"it is nested deeper than {self.limits.depth}")
            if isinstance(value, dict):
                return {self.plain(key, level + 1): self.plain(item, level + 1) for key, item in value.items()}
            items = [self.plain(item, level + 1) for item in value]
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, str | bytes):
            self.text += len(value)
            if self.text > self.limits.text:
                raise UnreadableFileError(f"it contains more than {self.limits.text:,} characters of text")
        if isinstance(value, Symbol | Dtype):
            raise refusal("a numpy type or function")
        return value


class _PickleMachine:
    def __init__(self, opcodes: int, *, skip_foreign: bool) -> None:
        self.opcodes = opcodes
        self.skip_foreign = skip_foreign
        self.stack: list[object] = []
        self.below: list[list[object]] = []  # a stack for every open mark
        self.memo: dict[int, object] = {}

    def run(self, data: bytes) -> object:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count >= self.opcodes:
                raise UnreadableFileError(f"a pickle in it has more than {self.opcodes:,} opcodes")
            if opcode.name == "STOP":
                break
            if opcode.name in _PUSHES:
                self.push(argument)
            elif opcode.name in _CONSTANTS:
                self.push(_CONSTANTS[opcode.name]())
            elif opcode.name in _STEPS:
                _STEPS[opcode.name](self, argument)
            else:
                raise refusal(f"an object made by the opcode {opcode.name}")
        return self.pop()

    def push(self, value: object) -> None:
        if isinstance(value, int) and value.bit_length() > INTEGER_BITS:
            raise UnreadableFileError(f"it contains an integer of more than {INTEGER_BITS} bits")
        self.stack.append(value)

    def pop(self) -> object:
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        value = self.stack[-1]
        if not isinstance(value, kind | _Foreign):
            raise ValueError(f"{kind.__name__} expected")  # noqa: TRY004  caught as damage, as the others
        return value

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[object]:
        items = self.stack
        self.stack = self.below.pop()
        return items

    def extend(self, items: list[object]) -> None:
        target = self.top(list)
        if target is not FOREIGN:
            target.extend(items)

    def update(self, items: list[object]) -> None:
        target = self.top(dict)
        if target is not FOREIGN:
            target.update(_pairs(items))

    def append(self) -> None:
        item = self.pop()
        self.extend([item])

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.update([key, value])

    def tuple_of(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def duplicate(self) -> None:
        value = self.pop()
        self.stack += [value, value]

    def put(self, number: int | None) -> None:
        value = self.pop()
        self.stack.append(value)
        self.memo[len(self.memo) if number is None else number] = value

    def get(self, number: int) -> None:
        if number not in self.memo:
            raise ValueError("an unknown memo")
        self.push(self.memo[number])

    def name(self, name: str) -> None:
        if name in SYMBOLS:
            self.push(Symbol(name))
        elif self.skip_foreign:
            self.push(FOREIGN)
        else:
            raise refusal(f"an object of {printable(name)}")

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        self.name(f"{module} {name}")

    def foreign(self, popped: int, opcode: str) -> None:
        if not self.skip_foreign:
            raise refusal(f"an object made by the opcode {opcode}")
        for _ in range(popped):
            self.pop()
        self.push(FOREIGN)

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.push(FOREIGN if function is FOREIGN else call_known(function, arguments))

    def build(self) -> None:
        state = self.pop()
        target = self.top(Dtype)
        if target is FOREIGN:
            return
        target.set_state(state)


def _pairs(items: list[object]) -> dict[object, object]:
    keys = items[::2]
    if not all(isinstance(key, _KEYS) for key in keys):
        raise refusal("a dictionary whose keys are not plain scalars")
    return dict(zip(keys, items[1::2], strict=True))  # ValueError for a key without a value


#: Opcodes whose argument from pickletools is the value.
_PUSHES: Final = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    }
)
_CONSTANTS: Final[Mapping[str, Callable[[], object]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
}
_STEPS: Final[Mapping[str, Callable[[_PickleMachine, Any], object]]] = {
    "PROTO": lambda machine, argument: None,
    "FRAME": lambda machine, argument: None,
    "MARK": lambda machine, argument: machine.mark(),
    "POP": lambda machine, argument: machine.pop(),
    "POP_MARK": lambda machine, argument: machine.since_mark(),
    "DUP": lambda machine, argument: machine.duplicate(),
    "LIST": lambda machine, argument: machine.push(machine.since_mark()),
    "TUPLE": lambda machine, argument: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, argument: machine.tuple_of(1),
    "TUPLE2": lambda machine, argument: machine.tuple_of(2),
    "TUPLE3": lambda machine, argument: machine.tuple_of(3),
    "DICT": lambda machine, argument: machine.push(_pairs(machine.since_mark())),
    "APPEND": lambda machine, argument: machine.append(),
    "APPENDS": lambda machine, argument: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine, argument: machine.set_item(),
    "SETITEMS": lambda machine, argument: machine.update(machine.since_mark()),
    "PUT": lambda machine, argument: machine.put(argument),
    "BINPUT": lambda machine, argument: machine.put(argument),
    "LONG_BINPUT": lambda machine, argument: machine.put(argument),
    "MEMOIZE": lambda machine, argument: machine.put(None),
    "GET": lambda machine, argument: machine.get(argument),
    "BINGET": lambda machine, argument: machine.get(argument),
    "LONG_BINGET": lambda machine, argument: machine.get(argument),
    "GLOBAL": lambda machine, argument: machine.name(argument),
    "STACK_GLOBAL": lambda machine, argument: machine.stack_name(),
    "REDUCE": lambda machine, argument: machine.reduce(),
    "BUILD": lambda machine, argument: machine.build(),
    "NEWOBJ": lambda machine, argument: machine.foreign(2, "NEWOBJ"),
    "NEWOBJ_EX": lambda machine, argument: machine.foreign(3, "NEWOBJ_EX"),
}
