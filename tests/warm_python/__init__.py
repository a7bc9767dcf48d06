"""Python interpreter that has its packages loaded already, for programs that the CLI runs again and again.

Every command of the CLI starts an interpreter for the program and one for the policy pack, and importing the
SDKs takes each of them seconds of processor time. A server process imports them once. `bin/python` of
`environment()` is a client: it hands its arguments, variables, folder and outputs to the server, which forks
an interpreter that goes on with them. Only installed packages are shared; a run imports the project's own
modules itself.
"""

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.support import paths

FOLDER = Path(__file__).parent


@functools.cache
def environment(real: Path = paths.REPOSITORY / ".venv") -> Path:
    """Returns a folder to name as `virtualenv` instead of `real`; its server runs as long as this process."""
    python = real / "bin" / "python"
    folder = Path(tempfile.mkdtemp(prefix="warm-python-"))
    server = subprocess.Popen(
        [python, FOLDER / "server.py", folder],
        cwd=paths.REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(shutil.rmtree, folder)
    atexit.register(server.communicate)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    client = folder / "bin" / "python"
    client.parent.mkdir()
    code = (FOLDER / "client.py").read_text("utf-8")
    client.write_text(f"#!{python} -IS\n{code}", encoding="utf-8")
    client.chmod(0o755)
    return folder
