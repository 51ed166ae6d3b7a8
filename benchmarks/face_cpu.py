"""`ownmark bench face --scale cpu`, written down as `face-cpu.json`; a run that was cut short goes on where it was."""

from cpu_scale import bench

if __name__ == "__main__":
    bench("face")
