"""Small Debian below every machine, with Docker and Compose available as packages."""

import shutil
from pathlib import Path

from tools import toolchain
from tools.support import paths
from tools.support.progress import exclusive, run

PACKAGES = (
    "systemd,systemd-sysv,dbus,python3-minimal,libpython3-stdlib,curl,ca-certificates,e2fsprogs,util-linux,"
    "iproute2,procps,kmod"
)
RECIPE = "5"
"""Version of the recipe below; change it with the recipe."""

# Ubuntu calls the Compose plugin docker-compose-v2; Debian 13 has the same program as docker-compose. Both
# that and Docker wait as packages in /opt/archive, which the machine's apt takes for its only archive.
HOOK = """
set -e
cd "$1"
mkdir -p opt/archive
chroot . apt-get --yes --no-install-recommends --download-only install docker.io
cp var/cache/apt/archives/*.deb opt/archive/
sed s/bookworm/trixie/ etc/apt/sources.list > etc/apt/sources.list.d/newer.list
chroot . apt-get update
chroot . sh -c 'cd /tmp && apt-get download docker-compose/trixie'
chroot . sh -c 'mkdir /tmp/p && dpkg-deb -R /tmp/docker-compose_*.deb /tmp/p'
sed -i 's/^Package: .*/Package: docker-compose-v2/; /^[DRCB][a-z]*s: /d' tmp/p/DEBIAN/control
chroot . dpkg-deb -b /tmp/p /opt/archive/docker-compose-v2.deb
rm -rf tmp/p tmp/*.deb etc/apt/sources.list.d/newer.list
cd opt/archive
for deb in *.deb; do
  chroot ../.. dpkg-deb -f "/opt/archive/$deb"
  echo "Filename: ./$deb"
  echo "Size: $(stat -c %s "$deb")"
  echo "SHA256: $(sha256sum "$deb" | cut -d' ' -f1)"
  echo
done > Packages
echo 'deb [trusted=yes] file:/opt/archive ./' > ../../etc/apt/sources.list
"""


def ensure_tree() -> Path:
    """Returns the read-only Debian below every machine; built once. Raises Refusal."""
    toolchain.ensure("mmdebstrap")
    tree = paths.home() / "machines" / f"debian-{RECIPE}"
    with exclusive("machine"):
        if not (tree / "etc").exists():
            unfinished = tree.with_name("unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            hook = unfinished.with_name("hook.sh")
            hook.write_text(HOOK)
            run(
                "Make a small Debian to boot (2 minutes)",
                [
                    # Other tests do not see what it mounts in the tree, and a killed one leaves no mount.
                    *("unshare", "--mount"),
                    toolchain.path("mmdebstrap"),
                    "--variant=apt",
                    f"--include={PACKAGES}",
                    f'--customize-hook=sh -x {hook} "$1"',
                    "bookworm",
                    unfinished,
                ],
                log="machine",
            )
            unfinished.rename(tree)
    return tree
