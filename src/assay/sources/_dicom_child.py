"""The process that `_dicom_decoding` starts: decodes compressed DICOM files until there are no more.

Run as a file, with nothing of Assay's imported. Over the pipes go the length of a file in eight bytes and the file;
back come the length of an npy array and the array, or a length of 0 where the pixels cannot be decoded.
"""

from __future__ import annotations


def main() -> None:
    """Answer until the questions end."""
    import os
    import sys

    own = os.path.dirname(os.path.abspath(__file__))  # whose modules are none to import by their bare names
    sys.path = [place for place in sys.path if place != own]
    import io
    import signal
    import warnings

    import numpy as np
    import pydicom

    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asked; this ends when the questions do
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints
    while head := sys.stdin.buffer.read(8):
        payload = sys.stdin.buffer.read(int.from_bytes(head, "big"))
        found = io.BytesIO()
        try:
            values = np.asarray(pydicom.dcmread(io.BytesIO(payload), force=True).pixel_array)
            np.lib.format.write_array(found, np.ascontiguousarray(values), allow_pickle=False)
        except Exception:  # damaged elements raise everything that Python knows
            found = io.BytesIO()
        answers.write(len(found.getbuffer()).to_bytes(8, "big"))
        answers.write(found.getbuffer())
        answers.flush()


if __name__ == "__main__":
    main()
