"""What is refused of uploads before any reader sees it: other types, and little files that unpack to large ones."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from typing import BinaryIO

from assay.serving.http.kinds import ending_of, endings, is_video, is_video_name
from assay.serving.http.limits import Limits
from assay.serving.http.refusals import Refused

#: How files begin of which only unpacking tells how much they are, whatever they are called; readers go by content.
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "RAR",
    b"PAR1": "Parquet",
}
_TARS = (".tar", ".tgz", ".tbz2", ".txz")
_HEAD = 1024
_BLOCK = 1 << 20
#: The one compressed form that is taken, as scans come in it; it is unpacked once to see how large it is.
_GZIPPED = ".nii.gz"
#: DICOM whose data elements are compressed as a whole: unpacked without a limit by its readers.
_DEFLATED = b"1.2.840.10008.1.2.1.99"


def check_files(files: Sequence[tuple[str, bytes]], takes: Sequence[str], limits: Limits) -> None:
    """Raise `Refused` for what is no input of such a task, or would grow too large.

    Args:
        files: their names, as they were sent, and their content.
        takes: what the task takes (`Traits.takes`).
        limits: of the server.
    """
    known = endings(takes)
    for name, content in files:
        head = content[:_HEAD]
        if known and ending_of(name) not in known and not ("scan" in takes and is_dicom(head)):
            ending = ending_of(name)
            told = f"files that end in {ending[:20]!r} are not taken" if ending else "the file's name has no ending"
            raise Refused(415, told, f"Taken: {', '.join(known)}.")
        if ending_of(name) != ".zip":
            check_one(name, head, io.BytesIO(content), limits)
        elif len(files) > 1:
            raise Refused(422, "a zip is sent beside other files", "Send the zip alone.")
        else:
            _check_zip(content, known, takes, limits)


def is_dicom(head: bytes) -> bool:
    """Whether a file begins as DICOM does; such files often have no ending."""
    return head[128:132] == b"DICM"


def check_one(name: str, head: bytes, stream: BinaryIO, limits: Limits) -> None:
    """Raise `Refused` for a file that is not what its name says, and would be trouble."""
    if ending_of(name) == _GZIPPED:
        if (size := _unpacked(stream, limits.unpacked_bytes)) > limits.unpacked_bytes:
            raise _too_large("file", limits)
        if size < 0:
            raise Refused(422, "the file is damaged", "Send it again.")
        return
    packed = next((kind for mark, kind in _PACKED.items() if head.startswith(mark)), None)
    if packed or head[257:262] == b"ustar" or ending_of(name) in _TARS:
        raise Refused(415, f"{packed or 'tar'} files are not taken", "Send files as they are, or a zip.")
    if is_video_name(name) and not is_video(head):
        raise Refused(422, "the file is no video", "Send MP4, AVI, MKV or WebM.")
    if is_dicom(head) and _DEFLATED in head:
        raise Refused(415, "deflated DICOM is not taken", "Save it with another transfer syntax.")


def members_of(archive: zipfile.ZipFile, limits: Limits) -> list[zipfile.ZipInfo]:
    """The files in a zip; raises `Refused` where they are too many, too large unpacked, or encrypted."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > limits.members:
        raise Refused(413, f"the zip has more than {limits.members} members", "Send fewer at once.")
    if sum(member.file_size for member in members) > limits.unpacked_bytes:
        raise _too_large("zip", limits)
    if any(member.flag_bits & 1 for member in members):
        raise Refused(422, "the zip is encrypted", "Send it without a password.")
    return members


def _check_zip(content: bytes, known: Sequence[str], takes: Sequence[str], limits: Limits) -> None:
    """Raise `Refused` where a zip has too many members, too large ones, or some that `check_one` refuses."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = members_of(archive, limits)
            if known and "scan" not in takes and not any(ending_of(one.filename) in known for one in members):
                raise Refused(415, "the zip holds no file that is taken", f"Taken: {', '.join(known)}.")
            if any(ending_of(member.filename) == ".zip" for member in members):
                raise Refused(415, "the zip holds another zip", "Send files, or a zip of them.")
            for member in members:
                with archive.open(member) as stream:
                    head = stream.read(_HEAD)
                with archive.open(member) as stream:
                    check_one(member.filename, head, stream, limits)  # type: ignore[arg-type]
    except Refused:
        raise
    except Exception as error:  # `zipfile` and its decompressors fail on damage in every way that Python knows
        raise Refused(422, "the zip is damaged", "Pack it again.") from error


def _too_large(what: str, limits: Limits) -> Refused:
    return Refused(413, f"the {what} unpacks to more than {limits.unpacked_bytes >> 20} MiB", "Send less at once.")


def _unpacked(stream: BinaryIO, most: int) -> int:
    """The bytes that a gzip stream unpacks to, no more of them counted than tell that there are too many; -1: damage.

    What is unpacked is thrown away a block at a time.
    """
    unpacker, size = zlib.decompressobj(31), 0
    try:
        while block := stream.read(_BLOCK):
            while block and size <= most:
                size += len(unpacker.decompress(block, _BLOCK))
                block = unpacker.unconsumed_tail or unpacker.unused_data
                if unpacker.eof and block:
                    unpacker = zlib.decompressobj(31)
                elif unpacker.eof:
                    break
            if size > most:
                break
    except zlib.error:
        return size if size > most else -1
    return size
