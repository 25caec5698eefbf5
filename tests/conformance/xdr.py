# SPDX-License-Identifier: LGPL-3.0-or-later
# xdr.py -- XDR (RFC 4506) by declaration: types that pack, unpack, and can spoil one field of a value
"""Types are objects. A struct's or union's value is a Record; its fields are attributes.

    Sattr = Struct("sattr3", mode=Optional(U32), ...)
    data = Sattr.encode(Record(mode=0o644))
    value = Sattr.decode(data)

spots() lists the leaves of a value with the paths of their fields ("attributes.size"; indices don't count), each with a
function that encodes the whole with this one leaf spoiled. The suite's own test uses it."""

import struct


class XdrError(Exception):
    """Bytes that aren't what the type says."""


class Record:
    """A struct's or union's fields."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def __eq__(self, other):
        return isinstance(other, Record) and self.__dict__ == other.__dict__

    def __repr__(self):
        return "(" + ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items()) + ")"

    def get(self, name, default=None):
        return self.__dict__.get(name, default)

    def copy(self, **changes):
        return Record(**{**self.__dict__, **changes})


class Reader:
    """Bytes and a position in them."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise XdrError(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count:self.at]

    def padding(self, count):
        rest = self.take(-count % 4)
        if rest.strip(b"\0"):
            raise XdrError(f"padding of {rest!r} at {self.at}")


class Type:
    """What every type can do. `zero` makes its simplest value."""

    def encode(self, value):
        out = bytearray()
        self.pack(out, value)
        return bytes(out)

    def decode(self, data):
        reader = Reader(data)
        value = self.unpack(reader)
        if reader.at != len(data):
            raise XdrError(f"{len(data) - reader.at} bytes left over")
        return value

    def spots(self, value, path=""):
        """Yields (path, spoiled value) for each leaf."""
        yield path, self.spoil(value)

    def spoil(self, value):
        raise NotImplementedError

    def is_void(self):
        return False


class Void(Type):
    def pack(self, out, value):
        pass

    def unpack(self, reader):
        return None

    def zero(self):
        return None

    def spots(self, value, path=""):
        return iter(())

    def is_void(self):
        return True


class Number(Type):
    def __init__(self, form):
        self.form = struct.Struct(">" + form)
        self.high = 1 << (8 * self.form.size - 1)
        self.signed = form.islower()

    def pack(self, out, value):
        out += self.form.pack(value)

    def unpack(self, reader):
        return self.form.unpack(reader.take(self.form.size))[0]

    def zero(self):
        return 0

    def spoil(self, value):
        return value ^ 1


class Boolean(Type):
    def pack(self, out, value):
        out += struct.pack(">I", 1 if value else 0)

    def unpack(self, reader):
        value = U32.unpack(reader)
        if value > 1:
            raise XdrError(f"{value} isn't a boolean")
        return value == 1

    def zero(self):
        return False

    def spoil(self, value):
        return not value


class Enum(Type):
    """Numbers with names; unknown ones are passed on as numbers."""

    def __init__(self, *tables):
        self.values = {}
        for table in tables:
            self.values.update(table)
        self.names = {value: name for name, value in self.values.items()}

    def pack(self, out, value):
        out += struct.pack(">i", value)

    def unpack(self, reader):
        return struct.unpack(">i", reader.take(4))[0]

    def name(self, value):
        return self.names.get(value, str(value))

    def zero(self):
        return min(self.values.values(), default=0)

    def spoil(self, value):
        return next((other for other in self.values.values() if other != value), value + 1)


class Bytes(Type):
    """opaque<limit>, string<limit>, or opaque[size]."""

    def __init__(self, limit=None, size=None):
        self.limit = limit
        self.size = size

    def pack(self, out, value):
        if self.size is None:
            out += struct.pack(">I", len(value))
        elif len(value) != self.size:
            raise XdrError(f"{len(value)} bytes for opaque[{self.size}]")
        out += value + bytes(-len(value) % 4)

    def unpack(self, reader):
        size = U32.unpack(reader) if self.size is None else self.size
        if self.limit is not None and size > self.limit:
            raise XdrError(f"{size} bytes of at most {self.limit}")
        value = bytes(reader.take(size))
        reader.padding(size)
        return value

    def zero(self):
        return bytes(self.size or 0)

    def spoil(self, value):
        if value:
            return bytes([value[0] ^ 1]) + value[1:]
        return value if self.size == 0 else b"x"


class Array(Type):
    """item<limit>; with `size`, item[size]."""

    def __init__(self, item, limit=None, size=None):
        self.item = item
        self.limit = limit
        self.size = size

    def pack(self, out, value):
        if self.size is None:
            out += struct.pack(">I", len(value))
        for item in value:
            self.item.pack(out, item)

    def unpack(self, reader):
        count = U32.unpack(reader) if self.size is None else self.size
        limit = self.limit if self.limit is not None else len(reader.data)
        if count > limit:
            raise XdrError(f"{count} items of at most {limit}")
        return [self.item.unpack(reader) for _ in range(count)]

    def zero(self):
        return [self.item.zero() for _ in range(self.size or 0)]

    def spots(self, value, path=""):
        for index, item in enumerate(value):
            for where, spoiled in self.item.spots(item, path):
                yield where, value[:index] + [spoiled] + value[index + 1:]
        if self.size is None:
            yield f"{path}#", value[:-1] if value else [self.item.zero()]


class Optional(Type):
    """*item: None or a value."""

    def __init__(self, item):
        self.item = item

    def pack(self, out, value):
        BOOL.pack(out, value is not None)
        if value is not None:
            self.item.pack(out, value)

    def unpack(self, reader):
        return self.item.unpack(reader) if BOOL.unpack(reader) else None

    def zero(self):
        return None

    def spots(self, value, path=""):
        if value is not None:
            yield from self.item.spots(value, path)
        yield f"{path}?", self.item.zero() if value is None else None


class Chain(Type):
    """A linked list: each item behind a TRUE, the end is a FALSE. The value is a list."""

    def __init__(self, item):
        self.item = item

    def pack(self, out, value):
        for item in value:
            BOOL.pack(out, True)
            self.item.pack(out, item)
        BOOL.pack(out, False)

    def unpack(self, reader):
        items = []
        while BOOL.unpack(reader):
            items.append(self.item.unpack(reader))
        return items

    def zero(self):
        return []

    def spots(self, value, path=""):
        yield from Array(self.item).spots(value, path)


class Struct(Type):
    """Fields in order; positional (name, type) pairs come before keywords."""

    def __init__(self, *pairs, **fields):
        self.fields = dict(pairs, **fields)

    def pack(self, out, value):
        for name, kind in self.fields.items():
            try:
                kind.pack(out, getattr(value, name, None))
            except (struct.error, TypeError, AttributeError) as problem:
                raise XdrError(f"field {name}: {problem}") from problem

    def unpack(self, reader):
        return Record(**{name: kind.unpack(reader) for name, kind in self.fields.items()})

    def zero(self):
        return Record(**{name: kind.zero() for name, kind in self.fields.items()})

    def spots(self, value, path=""):
        for name, kind in self.fields.items():
            for where, spoiled in kind.spots(getattr(value, name), f"{path}.{name}" if path else name):
                yield where, value.copy(**{name: spoiled})


class Union(Type):
    """switch (kind name) of arms: each a Struct, whose fields stand beside the switch, or None for void."""

    def __init__(self, name, kind, arms, default=None):
        self.name = name
        self.kind = kind
        self.arms = {value: arm or Struct() for value, arm in arms.items()}
        self.default = default

    def arm(self, switch):
        arm = self.arms.get(switch, self.default)
        if arm is None:
            raise XdrError(f"{self.name} is {switch}, which has no arm")
        return arm

    def pack(self, out, value):
        switch = getattr(value, self.name)
        self.kind.pack(out, switch)
        self.arm(switch).pack(out, value)

    def unpack(self, reader):
        switch = self.kind.unpack(reader)
        return Record(**{self.name: switch}, **self.arm(switch).unpack(reader).__dict__)

    def of(self, switch):
        """The simplest value with this switch."""
        return Record(**{self.name: switch}, **self.arm(switch).zero().__dict__)

    def zero(self):
        return self.of(next(iter(self.arms)))

    def other(self, switch):
        """Another switch: one with an arm that differs, if there is one."""
        for candidate in (self.kind.spoil(switch), *self.arms):
            if candidate != switch and (candidate in self.arms or self.default is not None):
                return candidate
        return None

    def spots(self, value, path=""):
        switch = getattr(value, self.name)
        inside = f"{path}.{self.name}" if path else self.name
        if (other := self.other(switch)) is not None:
            yield inside, self.of(other)
        for where, spoiled in self.arm(switch).spots(value, path):
            yield where, spoiled


class Later(Type):
    """A type that is defined further below."""

    def __init__(self, find):
        self.find = find

    def __getattribute__(self, name):
        if name in ("pack", "unpack", "zero", "spots", "spoil"):
            return getattr(object.__getattribute__(self, "find")(), name)
        return object.__getattribute__(self, name)


VOID = Void()
U32 = Number("I")
I32 = Number("i")
U64 = Number("Q")
I64 = Number("q")
BOOL = Boolean()
