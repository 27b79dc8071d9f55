"""What can stand in XML."""

from __future__ import annotations

import re

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def in_xml(text: str) -> str:
    """A text without the characters that XML does not have in any form: most control characters, halves of pairs, and two
    that are none. It is still to be escaped."""
    return _NO_XML.sub("", text)
