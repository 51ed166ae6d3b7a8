"""`ownmark bench age --scale cpu`, written down as `age-cpu.json`; a run that was cut short goes on where it was."""

from cpu_scale import bench

if __name__ == "__main__":
    bench("age")
