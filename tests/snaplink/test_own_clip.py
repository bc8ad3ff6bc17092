"""Other distributions that install a folder `clip` are noticed, named, and can be undone."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
REINSTALL = "pip install --force-reinstall --no-deps snaplink"


class Site:
    """A folder of installed packages, written as pip writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, version: str, files: dict[str, bytes]) -> None:
        record = ""
        for path, content in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record += f"{path},sha256={digest.decode()},{len(content)}\n"
        facts = self.folder / f"{name}-{version}.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n", encoding="utf-8")
        (facts / "RECORD").write_text(record, encoding="utf-8")

    def install_snaplink(self) -> None:
        paths = [path for part in ("clip", "snaplink") for path in (SOURCE / part).rglob("*.py")]
        files = {path.relative_to(SOURCE).as_posix(): path.read_bytes() for path in paths}
        self.install("snaplink", "0.1.0", files)

    def install_rival(self) -> None:
        names = ("__init__.py", "clip.py", "model.py", "simple_tokenizer.py")
        self.install("clip_anytorch", "2.6.0", {f"clip/{name}": b"# theirs" for name in names})

    def uninstall_rival(self) -> None:
        for name in ("__init__.py", "clip.py", "model.py", "simple_tokenizer.py"):
            (self.folder / "clip" / name).unlink()
        shutil.rmtree(self.folder / "clip_anytorch-2.6.0.dist-info")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def verdict(*folders: Path, cwd: Path | None = None) -> str:
    """What the check says in a fresh interpreter that sees only these packages."""
    script = (
        "from snaplink import own_clip\n"
        "from snaplink.errors import ForeignClipError\n"
        "try: own_clip.check()\n"
        "except ForeignClipError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
    )
    assert not done.stderr
    return done.stdout.strip()


def test_our_own_clip_passes_installed_and_in_a_checkout(site):
    site.install_snaplink()
    assert verdict(site.folder) == ""
    assert verdict(SOURCE) == ""


def test_another_clip_installed_over_ours_is_named_with_the_repair(site):
    site.install_snaplink()
    site.install_rival()
    assert verdict(site.folder) == (
        f"clip_anytorch 2.6.0 was installed over snaplink's package `clip` in "
        f"{site.folder / 'clip'}. Repair it with\n"
        f"    pip uninstall -y clip_anytorch\n"
        f"    {REINSTALL}"
    )


def test_ours_installed_over_another_passes_until_that_is_uninstalled(site):
    site.install_rival()
    site.install_snaplink()
    assert verdict(site.folder) == ""
    site.uninstall_rival()
    assert verdict(site.folder).startswith("files of snaplink's package `clip` are missing")
    assert verdict(site.folder).endswith(REINSTALL)


@pytest.mark.parametrize(
    ("origin", "again"),
    [
        ('{"url": "file:///home/me/clone", "dir_info": {}}', "file:///home/me/clone"),
        (
            '{"url": "https://example.org/snaplink", "vcs_info": {"vcs": "git"}}',
            "git+https://example.org/snaplink",
        ),
    ],
)
def test_the_repair_takes_snaplink_from_where_it_came(site, origin, again):
    site.install_snaplink()
    site.install_rival()
    facts = site.folder / "snaplink-0.1.0.dist-info"
    (facts / "direct_url.json").write_text(origin, encoding="utf-8")
    assert verdict(site.folder).endswith(f"pip install --force-reinstall --no-deps {again}")


def test_a_file_that_somebody_changed_by_hand_is_their_business(site):
    site.install_snaplink()
    (site.folder / "clip" / "model.py").write_text("# patched", encoding="utf-8")
    assert verdict(site.folder) == ""


def test_another_clip_found_before_ours_is_named(site, tmp_path):
    other = Site(tmp_path / "other")
    other.install_rival()
    site.install_snaplink()
    message = verdict(other.folder, site.folder)
    assert message.startswith(f"Python finds `clip` in {other.folder / 'clip' / '__init__.py'}")
    assert message.endswith("pip uninstall -y clip_anytorch")


def test_a_clip_in_the_working_folder_is_named(site, tmp_path):
    site.install_snaplink()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "clip.py").write_text("", encoding="utf-8")
    message = verdict(site.folder, cwd=tmp_path / "here")
    assert str(tmp_path / "here" / "clip.py") in message
    assert message.endswith("Rename it, or start Python in another folder")


def test_the_command_says_it_and_ends(site):
    site.install_snaplink()
    site.install_rival()
    done = subprocess.run(
        [sys.executable, "-m", "snaplink", "models"],
        env={**os.environ, "PYTHONPATH": str(site.folder)},
        capture_output=True,
        encoding="utf-8",
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("snaplink: clip_anytorch 2.6.0 was installed over snaplink's")
    assert "Traceback" not in done.stderr


def pip(*arguments: str | Path) -> None:
    """Run pip; skip the test where the package index cannot be reached."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
    )
    if "No matching distribution" in done.stderr or "Could not find a version" in done.stderr:
        pytest.skip(f"the package index cannot be reached: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


def test_with_pip_itself_and_the_real_clip_anytorch(tmp_path):
    wheels, home = tmp_path / "wheels", tmp_path / "venv"
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, SOURCE.parent)
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, "clip-anytorch==2.6.0")
    (ours,) = wheels.glob("snaplink-*.whl")
    (theirs,) = wheels.glob("clip_anytorch-*.whl")
    venv.create(home)
    install = ("--python", home, "install", "--quiet", "--no-deps", "--force-reinstall")
    (site,) = home.glob("**/site-packages")

    pip(*install, ours)
    assert verdict(site) == ""
    pip(*install, theirs)
    assert "clip-anytorch 2.6.0 was installed over" in verdict(site)
    pip("--python", home, "uninstall", "--quiet", "-y", "clip-anytorch")
    assert "files of snaplink's package `clip` are missing" in verdict(site)
    pip(*install, ours)
    assert verdict(site) == ""

    pip(*install, theirs)
    pip(*install, ours)
    assert verdict(site) == ""
