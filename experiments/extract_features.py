"""The door of `tools/extract_features.py`, which runs alone too: python tools/extract_features.py --help"""

import pathlib
import runpy

if __name__ == "__main__":
    runpy.run_path(str(pathlib.Path(__file__).parents[1] / "tools" / "extract_features.py"), run_name="__main__")
