"""`ownmark bench skin --scale small`, recorded as `skin-small.json`; interrupted runs resume."""

import sys

from cpu_scale import bench

if __name__ == "__main__":
    bench("skin", ["--scale", "small", *sys.argv[1:]])
