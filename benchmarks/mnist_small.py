"""`ownmark bench mnist --scale small`, recorded as `mnist-small.json`; interrupted runs resume."""

import sys

from cpu_scale import bench

if __name__ == "__main__":
    bench("mnist", ["--scale", "small", *sys.argv[1:]])
