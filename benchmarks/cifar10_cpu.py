"""`ownmark bench cifar10 --scale cpu`, recorded as `cifar10-cpu.json`; interrupted runs resume."""

from cpu_scale import bench

if __name__ == "__main__":
    bench("cifar10")
