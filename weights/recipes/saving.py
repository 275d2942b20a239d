"""Files that are either whole or as they were before."""
import os
import shutil
from pathlib import Path


def write_whole(path, write):
    """Calls `write(file)` with a file beside `path` and renames it: a stop in the middle, or a full disk, leaves what
    stood there. Ends the program with a sentence if it can't be written."""
    temporary = Path(f"{path}.partial")
    try:
        with open(temporary, "wb") as file:
            write(file)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as problem:
        temporary.unlink(missing_ok=True)
        free = shutil.disk_usage(temporary.parent).free / 1e6 if temporary.parent.is_dir() else 0
        raise SystemExit(f"{path}: not written ({str(problem).splitlines()[0]}; {free:.1f} MB are free there); what was saved "
                         "before still stands, and the same command goes on from there.")
