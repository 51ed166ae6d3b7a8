"""Watermarks against thieves on CIFAR-10, in small: the rows of `marks.py`, recorded as `marks-cifar10.json`."""

from mark_zoo import CIFAR10
from marks import bench

if __name__ == "__main__":
    bench(CIFAR10, "marks-cifar10")
