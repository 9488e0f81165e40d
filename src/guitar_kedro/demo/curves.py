"""Smooth outlines from short tables of points.

An outline is written as text, one `x,y` per point. The curve runs smoothly through plain points (Hobby's splines, the
ones METAFONT draws letters with); `x,y!` is a sharp corner; `x,y~r` is a corner rounded over the distance `r`. Between
two corners the line is straight.
"""

import cmath
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Point:
    """One point of an outline: where it is, whether the curve breaks there, and the corner it rounds off, if any."""

    place: complex
    corner: bool = False
    around: complex | None = None


@lru_cache(maxsize=512)
def closed(points: str) -> str:
    """The SVG path of the closed curve through `points`."""
    table = _round_corners(_parse(points), cyclic=True)
    first = next((i for i, point in enumerate(table) if point.corner), None)
    if first is None:
        return _start(table[0]) + _spline([point.place for point in table], cyclic=True) + "Z"
    table = table[first:] + table[: first + 1]
    return _start(table[0]) + _segments(table) + "Z"


@lru_cache(maxsize=512)
def opened(points: str) -> str:
    """The SVG path of the open curve through `points`."""
    table = _round_corners(_parse(points), cyclic=False)
    return _start(table[0]) + _segments(table)


def mirrored(points: str) -> str:
    """A right half, from top to bottom, with its left half added: points on the centre line are not doubled."""
    half = points.split()
    other = ["-" + point for point in reversed(half) if not point.startswith("0,")]
    return " ".join(half + [point.removeprefix("--") for point in other])


def moved(points: str, dx: float, dy: float, grow: float = 1.0) -> str:
    """The same outline scaled by `grow` about the origin, then shifted."""
    shifted = []
    for word in points.split():
        mark = next((i for i, letter in enumerate(word) if letter in "!~"), len(word))
        x, y = (float(number) * grow for number in word[:mark].split(","))
        shifted.append(f"{x + dx:g},{y + dy:g}{word[mark:]}")
    return " ".join(shifted)


def vertices(points: str) -> list[complex]:
    """The points themselves, as complex numbers."""
    return [place for place, _ in _parse(points)]


def _parse(points: str) -> list[tuple[complex, str]]:
    table = []
    for word in points.split():
        mark = next((i for i, letter in enumerate(word) if letter in "!~"), len(word))
        x, y = word[:mark].split(",")
        table.append((complex(float(x), float(y)), word[mark:]))
    return table


def _round_corners(table: list[tuple[complex, str]], cyclic: bool) -> list[Point]:
    rounded = []
    for i, (place, mark) in enumerate(table):
        if not mark.startswith("~") or (not cyclic and i in (0, len(table) - 1)):
            rounded.append(Point(place, corner=bool(mark)))
            continue
        radius = float(mark[1:])
        for neighbour, around in ((table[i - 1][0], None), (table[(i + 1) % len(table)][0], place)):
            away = neighbour - place
            reach = min(radius, abs(away) * 0.49)
            rounded.append(Point(place + away / abs(away) * reach, corner=True, around=around))
    return rounded


def _segments(table: list[Point]) -> str:
    path, run = "", [table[0].place]
    for point in table[1:]:
        if point.around is not None:
            path += f"Q{_xy(point.around)} {_xy(point.place)}"
            run = [point.place]
            continue
        run.append(point.place)
        if point.corner:
            path += _spline(run, cyclic=False)
            run = [point.place]
    return path + (_spline(run, cyclic=False) if len(run) > 1 else "")


def _spline(places: list[complex], cyclic: bool) -> str:
    if len(places) == 2:
        return f"L{_xy(places[1])}"
    z = np.array([*places, places[0]] if cyclic else places)
    steps = np.diff(z)
    theta, phi = _angles(steps, cyclic)
    path = ""
    for k, step in enumerate(steps):
        out = z[k] + cmath.exp(1j * theta[k]) * step * _velocity(theta[k], phi[k])
        back = z[k + 1] - cmath.exp(-1j * phi[k]) * step * _velocity(phi[k], theta[k])
        path += f"C{_xy(out)} {_xy(back)} {_xy(z[k + 1])}"
    return path


def _angles(steps: np.ndarray, cyclic: bool) -> tuple[np.ndarray, np.ndarray]:
    """The angle at which each step's curve leaves its first point, and the one at which it reaches its last."""
    length, count = np.abs(steps), len(steps) + (not cyclic)
    turn = np.zeros(count + 1)
    turn[1 : len(steps)] = np.angle(steps[1:] / steps[:-1])
    if cyclic:
        turn[0] = turn[-1] = np.angle(steps[0] / steps[-1])
    matrix, right = np.zeros((count, count)), np.zeros(count)
    for k in range(count):
        if not cyclic and k in (0, count - 1):
            matrix[k, k] = matrix[k, 1 if k == 0 else k - 1] = 1
            right[k] = -turn[1] if k == 0 else 0
            continue
        before, after = 1 / length[k - 1], 1 / length[k]
        matrix[k, k - 1] += before
        matrix[k, k] += 2 * before + 2 * after
        matrix[k, (k + 1) % count] += after
        right[k] = -2 * before * turn[k] - after * turn[k + 1]
    theta = np.linalg.solve(matrix, right)
    arriving = np.roll(theta, -1) if cyclic else theta[1:]
    return theta[: len(steps)], -turn[1 : len(steps) + 1] - arriving


def _velocity(a: float, b: float) -> float:
    """How far a control point lies along its tangent, as a share of the step (Hobby's formula)."""
    sin_a, sin_b, cos_a, cos_b = math.sin(a), math.sin(b), math.cos(a), math.cos(b)
    top = 2 + math.sqrt(2) * (sin_a - sin_b / 16) * (sin_b - sin_a / 16) * (cos_a - cos_b)
    root = math.sqrt(5)
    return top / (3 * (1 + (root - 1) / 2 * cos_a + (3 - root) / 2 * cos_b))


def _start(point: Point) -> str:
    return f"M{_xy(point.place)}"


def _xy(place: complex) -> str:
    return f"{place.real:.2f} {place.imag:.2f}"
