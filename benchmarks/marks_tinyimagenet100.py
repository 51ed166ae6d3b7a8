"""Watermarks against thieves on 100 classes, in small: the rows of `marks.py`, recorded as `marks-tinyimagenet100.json`."""

from mark_zoo import TINY
from marks import bench

if __name__ == "__main__":
    bench(TINY, "marks-tinyimagenet100")
