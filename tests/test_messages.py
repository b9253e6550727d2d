"""Messages to users are short sentences."""

import re

from tools.messages import messages

MAX_LENGTH = 300
#: What a value takes in a message, on the average.
VALUE = "x" * 12
#: Messages that continue the name of a file ("a.csv: its table ...") begin with a small letter.
CONTINUING = re.compile(r"[a-z{]")


def test_messages_are_sentences_of_less_than_300_characters():
    found = [one for one in messages() if " " in one.text]
    assert len(found) > 300
    too_long = [one for one in found if len(one.text.replace("{...}", VALUE)) >= MAX_LENGTH]
    assert too_long == []
    cut_short = [
        one for one in found if not CONTINUING.match(one.text) and not one.text.rstrip().endswith((".", "?", "{...}"))
    ]
    assert cut_short == []
