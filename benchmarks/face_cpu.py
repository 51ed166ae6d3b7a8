"""`ownmark bench face --scale cpu`, recorded as `face-cpu.json`; interrupted runs resume."""

from cpu_scale import bench

if __name__ == "__main__":
    bench("face")
