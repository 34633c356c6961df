"""record.py: what a command printed, below what made it; once, until command, code or weights change."""

import json
from pathlib import Path

import pytest

from q1net_msroi.utils import files, results
from q1net_msroi.utils.errors import UserError
from scripts import record


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """A command of a family that prints how often it ran."""
    path = tmp_path / "classifier" / "count.py"
    path.parent.mkdir()
    path.write_text(
        "import json, pathlib, sys\nruns = pathlib.Path(__file__).with_suffix('.txt')\n"
        "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x')\n"
        "print('a line for a person')\nprint(json.dumps({'runs': len(runs.read_text()), 'flags': sys.argv[1:]}))\n"
        "sys.exit('--fail' in sys.argv)\n"
    )
    return path


def test_a_record_names_what_made_it_and_is_made_once(
    command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "new" / "r.json"

    def run(*words: str) -> dict:
        assert record.main(["--once", str(out), str(command), *words]) == 0
        return json.loads(out.read_text())

    kept = run("--json", "--help")
    assert kept["result"] == {"runs": 1, "flags": ["--json", "--help"]}
    assert kept["command"] == f"python3 {command} --json --help"
    assert kept["code"] == results.code_hash("utils", "classifier")
    shipped = files.REPOSITORY / "save" / "jpeg_paper" / "comp_cls.tflite"
    assert kept["weights"]["jpeg_paper/comp_cls.tflite"] == files.sha256(shipped)[: results.HASH_DIGITS]
    assert run("--json", "--help") == kept
    assert run("--json")["result"]["runs"] == 2
    monkeypatch.setattr(results, "code_hash", lambda *packages: "other code")
    assert run("--json")["result"]["runs"] == 3


def test_weights_are_those_that_are_asked() -> None:
    named = record.weights(["classifier/evaluate_cls.py", "--comp_type", "jpeg_paper_k12"])
    assert {path.parent.name for path in named} == {"jpeg_paper_k12"}
    head = files.REPOSITORY / "save" / "mobilenet_v2" / "head" / "head.npz"
    assert head in record.weights(["msroi/evaluate_map.py", "--checkpoint", str(head)])


def test_a_command_that_fails_or_is_none_leaves_nothing(command: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ended with 1; nothing recorded"):
        record.main([str(tmp_path / "r.json"), str(command), "--fail"])
    with pytest.raises(UserError, match="no command of a family"):
        record.main([str(tmp_path / "r.json"), "scripts/tables.py"])
    assert not (tmp_path / "r.json").exists()
