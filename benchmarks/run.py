"""All benchmarks behind one command.

    python benchmarks/run.py                    # what there is
    python benchmarks/run.py laplace            # one of them; what follows is passed on: --size 512 --repeats 7
    python benchmarks/run.py laplace --write docs/benchmarks

Run them on a machine that does nothing else.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = {
    "laplace": ("peers.py --task laplace", "the harmonic fill next to its peers, 1 megapixel"),
    "biharmonic": ("peers.py --task biharmonic", "the biharmonic fill next to its peers"),
    "drop-in": ("drop_in.py", "inpaint_biharmonic next to scikit-image's, on little damage"),
    "gd": ("peers.py --task gd", "descents of the energy 'lines', and its gradient"),
    "energy": ("peers.py --task energy", "the gradient of 'lines' alone"),
    "volume": ("peers.py --volume", "the harmonic fill of a volume, 256 x 256 x 256"),
    "growth": ("peers.py --growth", "time and memory for each missing pixel as images grow"),
    "memory": ("footprint.py", "peak memory of every method, in bytes a pixel"),
    "targets": ("targets.py", "what is aimed at on large images and on little damage, and whether it is met"),
    "cold": ("peers.py --cold", "the first call, the command line and the import, in new processes"),
    "quality": ("quality.py", "PSNR, SSIM and time of every method and its peers"),
    "exemplar": ("exemplar.py", 'large holes: texture, seams and time of "exemplar" and its peers, with pictures'),
    "paint": ("paint.py", "the page of skinpaint paint in a browser: from the brush to new pixels"),
    "trust": ("trust.py", "standard deviations and noise: coverage, cost, or noise"),
    "compare": ("compare_check.py", "does `compare` name the best method?"),
}


def main(words: list[str]) -> int:
    """Run one benchmark, or say what there is."""
    if not words or words[0] not in BENCHMARKS:
        width = max(map(len, BENCHMARKS))
        print("usage: python benchmarks/run.py NAME [options]\n")
        print("\n".join(f"  {name:<{width}}  {what}" for name, (_, what) in BENCHMARKS.items()))
        return 2 if words else 0
    script, *options = BENCHMARKS[words[0]][0].split()
    folder = Path(__file__).parent
    return subprocess.run([sys.executable, str(folder / script), *options, *words[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
