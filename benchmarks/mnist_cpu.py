"""`ownmark bench mnist --scale cpu`, recorded as `mnist-cpu.json`; interrupted runs resume."""

from cpu_scale import bench

if __name__ == "__main__":
    bench("mnist")
