"""Colours by which classes are told apart, in drawings and in files."""

from __future__ import annotations

Colour = tuple[int, int, int]

#: Red, green and blue of the colours that every colour vision tells apart (Okabe and Ito 2008), but for black; and what
#: they are called.
OKABE_ITO: tuple[Colour, ...] = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
NAMES = ("orange", "light blue", "green", "yellow", "dark blue", "red", "pink")
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
