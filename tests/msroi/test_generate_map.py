import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from q1net_msroi.msroi import generate_map
from q1net_msroi.msroi.roi import architectures, batch, checkpoints, generate, network, overlay
from q1net_msroi.utils import files, images
from q1net_msroi.utils.errors import UserError, run_command


def run(*arguments):
    return run_command("generate_map.py", generate_map.main, [str(a) for a in arguments])


def scene(seed=0, size=(96, 128)):
    """A disc with texture on a smooth ground."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    disc = np.hypot(rows - size[0] * 0.4, columns - size[1] * 0.3) < min(size) / 4
    pixels = np.repeat((120 + rows * 0.3)[..., None], 3, axis=2)
    pixels[disc] = rng.integers(0, 256, (int(disc.sum()), 3))
    return pixels.astype(np.uint8)


@pytest.fixture(scope="module")
def lite():
    return network.load_lite(1)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo one.png"
    Image.fromarray(scene()).save(path)
    return path


def test_one_picture(photo, tmp_path, capsys):
    out = tmp_path / "output"
    assert run(photo, "--output_directory", out) == 0
    assert sorted(p.name for p in out.iterdir()) == ["msroi_map.jpg", "overlayed_heatmap.png"]
    with Image.open(out / "msroi_map.jpg") as gray, Image.open(out / "overlayed_heatmap.png") as drawn:
        assert (gray.format, gray.mode, gray.size) == ("JPEG", "L", (128, 96))
        assert (drawn.format, drawn.mode, drawn.size) == ("PNG", "RGB", (128, 96))
    assert "msroi_map.jpg" in capsys.readouterr().out


def test_json_and_lossless(photo, tmp_path, capsys):
    assert run(photo, "--output_directory", tmp_path / "o", "--lossless", "--json", "--method", "topk") == 0
    record = json.loads(capsys.readouterr().out)
    assert list(record) == ["file", "map", "overlay", "method", "classes", "seconds"]
    assert record["method"] == "topk"
    assert len(record["classes"]) == 5
    with Image.open(record["map"]) as gray:
        assert gray.format == "PNG"
        assert np.asarray(gray).max() == 255


@pytest.mark.parametrize("settings", [generate.Settings(m, center_crop=c) for m in generate.METHODS for c in (0, 1)])
def test_a_map_is_the_same_every_time_and_uses_the_whole_range(lite, settings):
    pixels = scene()
    first, second = (generate.generate(lite, pixels, settings).values for _ in range(2))
    assert (first == second).all()
    assert first.shape == (96, 128)
    assert (first.min(), first.max()) == (0, 255)


def test_the_map_lies_where_the_object_is(lite):
    pixels = scene(size=(192, 256))
    values = generate.generate(lite, pixels, generate.Settings()).values
    rows, columns = np.mgrid[:192, :256]
    disc = np.hypot(rows - 192 * 0.4, columns - 256 * 0.3) < 48
    assert values[disc].mean() > values[~disc].mean() + 50


def test_turning_by_180_degrees_leaves_activations_in_place(lite):
    pixels = scene(size=(256, 256))
    straight, turned = (network.analyse(lite, pixels, 256, t) for t in (False, True))
    assert (network.analyse(lite, pixels[::-1, ::-1], 256).residual == turned.residual).all()
    row = [
        np.argmax(look.place(np.linalg.norm(look.residual, axis=2), (256, 256)).sum(axis=1))
        for look in (straight, turned)
    ]
    assert abs(row[0] - row[1]) <= 32


@pytest.mark.fast(2)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (8, 3000), (23, 24), (1500, 1100)])
def test_any_size(lite, size):
    result = generate.generate(lite, scene(size=size), generate.Settings())
    assert result.values.shape == size


def test_a_flat_picture_has_a_note_or_a_map_but_no_error(tmp_path):
    Image.new("RGB", (64, 64), (90, 90, 90)).save(tmp_path / "flat.png")
    assert run(tmp_path / "flat.png", "--output_directory", tmp_path / "o") == 0


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_orientation_map_as_stored_overlay_upright(tmp_path, lite, orientation):
    upright = scene(size=(96, 160))
    stored = Image.fromarray(images.as_stored(upright, orientation))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "p.png", exif=exif)
    settings = generate.Settings(scales="256")
    done = batch.run_job(lite, batch.single_job(tmp_path / "p.png", tmp_path, True), settings)
    with Image.open(done.job.map) as gray, Image.open(done.job.overlay) as drawn:
        assert gray.size == stored.size
        assert drawn.size == (160, 96)
        expected = generate.generate(lite, upright, settings).values
        assert (images.upright(np.asarray(gray), orientation) == expected).all()


def test_folder_resumes_and_names_what_failed(tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    rule = ("--method", "topk")  # the fastest
    for number in range(3):
        Image.fromarray(scene(number)).save(folder / f"{number}.png")
    (folder / "broken.jpg").write_bytes(b"text")
    assert run(folder, "--output_directory", out, *rule) == 1
    assert "broken.jpg is not a picture" in capsys.readouterr().err
    kept = sorted(p.name for p in out.iterdir())
    assert kept == sorted(
        [*(f"map_{n}.png.jpg" for n in range(3)), *(f"overlay_{n}.png.png" for n in range(3)), batch.RECORD]
    )
    (folder / "broken.jpg").unlink()
    (out / "overlay_1.png.png").unlink()  # as if killed between the two files
    times = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    assert run(folder, "--output_directory", out, *rule, "--json") == 0
    captured = capsys.readouterr()
    assert "2 of 3 pictures were finished before" in captured.err
    assert [json.loads(line)["file"] for line in captured.out.splitlines()] == [str(folder / "1.png")]
    assert (out / "map_0.png.jpg").stat().st_mtime_ns == times["map_0.png.jpg"]
    assert run(folder, "--output_directory", out, "--method", "threshold", "--json") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3  # other settings: all again


@pytest.mark.slow
def test_kill_in_the_middle_leaves_whole_files_and_a_second_run_finishes(tmp_path, start, run):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(24):
        Image.fromarray(scene(number)).save(folder / f"{number:02}.png")
    arguments = (folder, "--output_directory", out, "--method", "topk", "--json")
    process = start("msroi.generate_map", *arguments)
    deadline = time.monotonic() + 60
    journal = out / batch.RECORD
    while not (journal.is_file() and journal.read_bytes().count(b"\n") > 2) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    made = [*out.glob("map_*.jpg"), *out.glob("overlay_*.png")]
    assert 4 <= len(made) < 48
    for path in made:
        images.read_rgb(path)
    first = {path.name: path.read_bytes() for path in made}
    done = run("-m", "msroi.generate_map", *arguments)
    assert done.code == 0, done.err
    assert 0 < len(done.lines) < 24
    assert sum(1 for _ in out.glob("map_*.jpg")) == sum(1 for _ in out.glob("overlay_*.png")) == 24
    assert all((out / name).read_bytes() == content for name, content in first.items())


@pytest.mark.slow
def test_the_shipped_head_and_a_checkpoint_that_does_not_exist(photo, tmp_path, capsys):
    head = checkpoints.SHIPPED / "head" / "head.npz"
    picture = files.REPOSITORY / "sample_image" / "chelsea.png"
    arguments = ("--method", "topk", "--output_directory", tmp_path / "o", "--json")
    assert run(picture, "--checkpoint", head, *arguments) == 0
    record = json.loads(capsys.readouterr().out)
    names = (head.parent / "classes.txt").read_text().split()
    assert len(names) == 101
    assert {found["name"] for found in record["classes"]} <= set(names)
    with Image.open(record["map"]) as gray, Image.open(picture) as original:
        assert gray.size == original.size
        assert np.ptp(np.asarray(gray)) > 200
    assert run(photo, "--checkpoint", tmp_path / "none.npz", *arguments) == 2
    assert "none.npz is missing" in capsys.readouterr().err


@pytest.mark.slow
def test_vgg16_looks_at_a_whole_picture(tmp_path, capsys):
    from q1net_msroi.msroi.roi.head import write_model

    halves = architectures.build_features("vgg16"), architectures.build_head(512, 5)
    write_model(tmp_path / "model-1", {k: v for half in halves for k, v in checkpoints.named(half).items()})
    Image.fromarray(scene(size=(512, 768))).save(tmp_path / "p.png")
    arguments = ("--checkpoint", tmp_path / "model-1", "--output_directory", tmp_path / "o", "--lossless", "--json")
    for method in generate.METHODS:
        assert run(tmp_path / "p.png", "--method", method, *arguments) == 0
        record = json.loads(capsys.readouterr().out)
        assert record["classes"][0]["name"].startswith("class ")
        with Image.open(record["map"]) as gray:
            assert gray.size == (768, 512)
            assert np.asarray(gray).max() == 255


@pytest.mark.parametrize("scales", ["", "448,", "0", "t", "448T", "-3", "9999", "a", "2²"])
def test_scales_that_make_no_sense_are_named(scales):
    with pytest.raises(UserError, match="--scales"):
        generate.Settings(scales=scales)


def test_the_default_scales_look_from_both_ends() -> None:
    """Features begin one stride inside the top and left edge: a turned look sees what that misses."""
    assert {turned for _, turned in generate.Settings().looks()} == {False, True}


def test_scales_decide_where_the_network_looks(lite, monkeypatch):
    seen = []
    plain = generate.analyse
    monkeypatch.setattr(generate, "analyse", lambda *a: seen.append(a[2:]) or plain(*a))
    generate.generate(lite, scene(), generate.Settings(scales="64t, 96"))
    assert seen[1:] == [(64, True), (96, False)]


def test_wrong_use_is_one_line(photo, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    cases = {
        "does not exist": [tmp_path / "none.png"],
        "no pictures": [tmp_path / "empty"],
        "--threshold lies in 0..1": [photo, "--threshold", "3"],
        "--top_k is at least 1": [photo, "--top_k", "0"],
        "--workers 0: at least 1": [photo, "--workers", "0"],
        "--workers -2: at least 1": [photo, "--workers", "-2"],
        "give long sides of 1..4096": [photo, "--scales", "448,x"],
        "runs with --backend tf only": [photo, "--checkpoint", "m", "--backend", "litert"],
        "is a file; choose another output folder": [photo, "--output_directory", tmp_path / "file"],
        "is the input folder too": [tmp_path, "--output_directory", tmp_path],
        "does not exist, nor": [photo, "--checkpoint", tmp_path / "model-50"],
    }
    for message, arguments in cases.items():
        if "--output_directory" not in arguments:
            arguments += ["--output_directory", tmp_path / "o"]
        assert run(*arguments) == 2, message
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_a_map_never_overwrites_its_picture(tmp_path, capsys):
    Image.fromarray(scene()).save(tmp_path / "msroi_map.jpg")
    before = (tmp_path / "msroi_map.jpg").read_bytes()
    assert run(tmp_path / "msroi_map.jpg", "--output_directory", tmp_path) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert (tmp_path / "msroi_map.jpg").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"text", "cut"])
def test_hostile_pictures_leave_nothing(tmp_path, photo, capsys, content):
    bad = tmp_path / "bad.png"
    bad.write_bytes(photo.read_bytes()[:300] if content == "cut" else content)
    assert run(bad, "--output_directory", tmp_path / "o") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list((tmp_path / "o").iterdir())


def test_a_cut_model_is_said_in_one_line(tmp_path):
    (tmp_path / "half.tflite").write_bytes(network.SHIPPED_MODEL.read_bytes()[:2_000_000])
    with pytest.raises(UserError, match="is damaged"):
        network.load_lite(1, tmp_path / "half.tflite")


def test_shipped_files_agree_with_their_checksums():
    lines = (checkpoints.SHIPPED / "SHA256SUMS").read_text().splitlines()
    for line in lines:
        digest, name = line.split("  ")
        assert files.sha256(checkpoints.SHIPPED / name) == digest
    assert sum(p.stat().st_size for p in checkpoints.SHIPPED.rglob("*") if p.is_file()) < 24_000_000


def test_the_shipped_network_knows_a_cat(lite):
    pixels = images.read_rgb(files.REPOSITORY / "sample_image" / "chelsea.png").pixels
    classes = generate.generate(lite, pixels, generate.Settings("topk")).classes
    assert "cat" in classes[0][0] or "tabby" in classes[0][0]


def test_legend_is_readable_on_dark_and_bright():
    for level in (0, 255):
        pixels = np.full((200, 300, 3), level, np.uint8)
        values = np.full((200, 300), level, np.uint8)
        drawn = np.asarray(overlay.draw(pixels, values, [("a name", 0.5), ("x" * 200, 0.3)])).astype(int)
        panel = drawn[150:190, 10:60].sum(axis=2)
        assert panel.max() > 690  # light letters
        assert np.median(panel) < 320  # on a dark ground


def test_starts_without_tensorflow(tmp_path, photo):
    program = (
        "import sys; from q1net_msroi.msroi import generate_map; "
        f"code = generate_map.main([{str(photo)!r}, '--output_directory', {str(tmp_path / 'o')!r}]); "
        "heavy = {'tensorflow', 'scipy', 'skimage', 'matplotlib', 'pandas'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(files.REPOSITORY)}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
