"""`ownmark bench skin --scale gpu`, recorded as `skin-gpu.json`: the scale cpu with larger batches; interrupted runs resume."""

import sys

from cpu_scale import bench

if __name__ == "__main__":
    bench("skin", ["--scale", "gpu", *sys.argv[1:]])
