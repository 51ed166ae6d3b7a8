"""`ownmark bench age --scale cpu`, recorded as `age-cpu.json`; interrupted runs resume."""

from cpu_scale import bench

if __name__ == "__main__":
    bench("age")
