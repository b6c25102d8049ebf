"""Members of a zip that is written from front to back, compressed fast.

Belongs here: compression. Does not belong here: what is in a member.

ISA-L's first level makes files as small as zlib's first, at almost four times the speed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from isal import isal_zlib

_LEVEL = 1


@contextmanager
def member(
    archive: zipfile.ZipFile, name: str, *, compress: bool = True, large: bool = True
) -> Iterator[BinaryIO]:
    """A member to write into, whose size is not known beforehand.

    Args:
        archive: open for writing; it need not be seekable.
        name: of the member.
        compress: no, when what is written is compressed already.
        large: whether it may have 2 GB and more. Not every program reads such a member, however
            small it then is.
    """
    described = zipfile.ZipInfo(name)
    described.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with archive.open(described, "w", force_zip64=large) as part:
        if compress:
            # zipfile knows one maker of deflated data and has no way to name another.
            part._compressor = isal_zlib.compressobj(  # type: ignore[attr-defined]
                _LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS
            )
        yield cast(BinaryIO, part)
