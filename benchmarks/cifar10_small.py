"""`ownmark bench cifar10 --scale small`, recorded as `cifar10-small.json`; interrupted runs resume."""

import sys

from cpu_scale import bench

if __name__ == "__main__":
    bench("cifar10", ["--scale", "small", *sys.argv[1:]])
