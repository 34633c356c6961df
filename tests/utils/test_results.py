"""What records say of the code that made them, and what tables say of numbers."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from q1net_msroi.utils import files, results


def test_a_share_is_never_rounded_to_all() -> None:
    assert [results.percent(share) for share in (0.998, 0.99958, 1.0, 0.0)] == ["99.8%", "99.96%", "100.0%", "0.0%"]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository in place of this one."""
    root = tmp_path / "checkout"
    for name in ("utils", "msroi", "classifier"):
        (root / name).mkdir(parents=True)
        (root / name / "a.py").write_text("WEIGHT = 1\n")
    monkeypatch.setattr(files, "REPOSITORY", root)
    for cached in (results.commit, results.code_hash):
        cached.cache_clear()
        monkeypatch.setattr(results, cached.__name__, cached.__wrapped__)
    return root


def test_identity_changes_with_code_settings_and_codecs(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = results.code_identity("msroi", {"strength": 0.5})
    assert results.code_identity("msroi", {"strength": 0.5}) == first
    assert results.code_identity("msroi", {"strength": 0.6}) != first
    (checkout / "classifier" / "a.py").write_text("WEIGHT = 2\n")  # another family's code decides nothing here
    assert results.code_identity("msroi", {"strength": 0.5}) == first
    (checkout / "utils" / "a.py").write_text("WEIGHT = 2\n")
    second = results.code_identity("msroi", {"strength": 0.5})
    assert second != first
    monkeypatch.setattr(results, "codecs", lambda: {"Pillow": "0"})
    assert results.code_identity("msroi", {"strength": 0.5}) not in (first, second)


def test_a_record_carries_what_made_it(checkout: Path, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        call = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(call, check=True, capture_output=True, text=True).stdout.strip()

    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    weights = checkout / "save" / "k" / "a.tflite"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    made = results.provenance("python3 a.py", "msroi", settings={"encoder": "0123"}, weights=[weights])
    assert made["commit"] == git("rev-parse", "HEAD")
    assert made["dirty"]  # weights that nobody committed
    assert made["weights"] == {"k/a.tflite": files.sha256(weights)[: results.HASH_DIGITS]}
    assert made["settings"] == {"encoder": "0123"}
    assert {"Pillow", "libjpeg-turbo"} <= set(made["codecs"])
    weights.unlink()
    (checkout / "README.md").write_text("what is no code leaves a checkout clean")
    clean = results.provenance("python3 a.py", "msroi")
    assert not clean["dirty"]
    assert f"commit {clean['commit'][:10]}" in results.made_by(clean)
    assert results.made_by(made).endswith("with changes")
    results.record(tmp_path / "new" / "r.json", clean, [1])
    assert json.loads((tmp_path / "new" / "r.json").read_text()) == {**clean, "result": [1]}


def test_outside_a_checkout_the_version_stands_for_the_commit(checkout: Path) -> None:
    made = results.provenance("python3 a.py", "msroi")
    assert "commit" not in made
    assert made["version"]
    assert results.made_by(made) == f"{made['machine']}, {made['date']}"


def test_kept_commands_work_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("Q1NET_DATA", "/data")
    said = results.portable(["a.py", "--in_path", "/data/kodak", "--conditions", "crop 64", "/data"])
    assert said == "a.py --in_path $Q1NET_DATA/kodak --conditions 'crop 64' $Q1NET_DATA"


def test_a_csv_cell_begins_no_formula(tmp_path: Path) -> None:
    results.write_csv(tmp_path / "a.csv", [{"file": "=cmd.png", "change": -0.5, "loss": "-0.5", "rest": "a,b"}])
    assert (tmp_path / "a.csv").read_bytes() == b'file,change,loss,rest\n\'=cmd.png,-0.5000,-0.5,"a,b"\n'


@pytest.mark.parametrize("data", ["/data", "/data/"])
def test_only_the_data_folder_itself_is_abbreviated(monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    monkeypatch.setenv("Q1NET_DATA", data)
    words = ["/data", "/data/kodak", "/database/x", "--a=/data/ko dak", "--b=3"]
    said = results.portable(words)
    assert said == "$Q1NET_DATA $Q1NET_DATA/kodak /database/x --a=$Q1NET_DATA'/ko dak' --b=3"
