"""The benchmark's own environment: a virtual environment, a node_modules and an unpacked Debian package."""

import os
import shutil
import ssl
import subprocess
import sys
import venv
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
PROJECT = BENCHMARKS.parent
HOME = PROJECT / ".bench"
PYTHON = HOME / "bin" / "python"
NODE_MODULES = HOME / "node" / "node_modules"
POSTFIX = HOME / "postfix"
CERTIFICATE = HOME / "tls" / "certificate.pem"
KEY = HOME / "tls" / "key.pem"

# What smtp-source and smtp-sink are linked with and a small installation may lack.
POSTFIX_PACKAGES = ("postfix", "libicu72", "libdb5.3")


def prepare() -> None:
    """Build whatever is missing, and install the working tree afresh."""
    _make_venv()
    _pip("install", "--no-deps", "--force-reinstall", str(PROJECT))
    _make_node()
    _make_postfix()


def inside() -> bool:
    """Whether this process runs in the environment already."""
    return Path(sys.prefix).resolve() == HOME.resolve()


def enter(arguments: list[str]) -> None:
    """Replace this process by one inside the environment."""
    os.execv(PYTHON, [str(PYTHON), str(BENCHMARKS / "run.py"), *arguments])


def make_certificate() -> None:
    """Write the one certificate all rivals present: the same kind of key that pytest_smtpd uses."""
    if KEY.exists():
        return
    import trustme

    CERTIFICATE.parent.mkdir(parents=True, exist_ok=True)
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    CERTIFICATE.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(KEY))


def server_context() -> ssl.SSLContext:
    """A server context with the rivals' certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, KEY)
    return context


def client_context() -> ssl.SSLContext:
    """A client context that verifies nobody, so that every server costs the client the same."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def postfix_tool(name: str) -> str | None:
    """Where a tool of Postfix is, if it is anywhere."""
    unpacked = POSTFIX / "usr" / "sbin" / name
    return str(unpacked) if unpacked.exists() else shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def tool_environment() -> dict[str, str]:
    """The process environment in which the unpacked tools find their libraries."""
    libraries = [POSTFIX / "usr" / "lib" / "postfix", *POSTFIX.glob("usr/lib/*-linux-gnu*")]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, libraries))}


def _make_venv() -> None:
    if not PYTHON.exists():
        print("making", HOME, file=sys.stderr)
        venv.create(HOME, with_pip=True)
    _pip("install", "--requirement", str(BENCHMARKS / "requirements.txt"))


def _pip(*arguments: str) -> None:
    # Rivals ask for setuptools' leftovers or build from source on new Pythons: what pip says then has to be seen.
    subprocess.run([PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def _make_node() -> None:
    npm = shutil.which("npm")
    if npm is None or NODE_MODULES.exists():
        return
    NODE_MODULES.parent.mkdir(exist_ok=True)
    shutil.copy(BENCHMARKS / "package.json", NODE_MODULES.parent)
    subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund"], cwd=NODE_MODULES.parent, check=True)


def _make_postfix() -> None:
    """Unpack Debian's packages without installing them: no configuration, no service, no root."""
    if postfix_tool("smtp-source") or shutil.which("apt-get") is None:
        return
    POSTFIX.mkdir(exist_ok=True)
    for package in POSTFIX_PACKAGES:
        _download(package)
    for archive in POSTFIX.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(archive), str(POSTFIX)], check=True)


def _download(package: str) -> None:
    download = ["apt-get", "--quiet=2", "download", package]
    if subprocess.run(download, cwd=POSTFIX, check=False).returncode == 0:
        return
    subprocess.run(["apt-get", "--quiet=2", "update"], check=False)
    if subprocess.run(download, cwd=POSTFIX, check=False).returncode != 0:
        print(f"no package {package} for this system", file=sys.stderr)
