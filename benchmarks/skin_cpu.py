"""`ownmark bench skin --scale cpu`, recorded as `skin-cpu.json`; interrupted runs resume."""

from cpu_scale import bench

if __name__ == "__main__":
    bench("skin")
