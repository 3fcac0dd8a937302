"""The door of `tools/image_folder.py`, which runs alone too: python tools/image_folder.py --help"""

import pathlib
import runpy

if __name__ == "__main__":
    runpy.run_path(str(pathlib.Path(__file__).parents[1] / "tools" / "image_folder.py"), run_name="__main__")
