"""The measures, the frozen set, and the two evaluations on a few faces."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realtime_unmask import resources
from realtime_unmask.faces.alignment import crop
from realtime_unmask.types import Alignment, Float32, MaskMap, UInt8
from realtime_unmask.unmask.compositor import GROW_PX
from tests.training.runs import beginning
from training import data
from training.__main__ import main
from training.evaluation import (
    baselines,
    cases,
    editor,
    maps,
    photos,
    prior,
    report,
    scores,
    straps,
)
from training.evaluation.engines import Engines, Found, found, laid_in
from training.evaluation.judge import Judge
from training.real_masks import for_scoring
from training.shards import CROP, Faces, save_shard

ENGINES = resources.folder("engines")


def square(left: int, top: int, side: int) -> scores.Bool:
    plane = np.zeros((64, 64), bool)
    plane[top : top + side, left : left + side] = True
    return plane


def test_ciede2000_gives_the_published_pairs() -> None:
    # Sharma, Wu and Dalal 2005, pairs 1, 7, 9, 13, 17 and 25 of table 1.
    a = [(50, 2.6772, -79.7751), (50, 0, 0), (50, 2.49, -0.001), (50, -0.001, 2.49),
         (50, 2.5, 0), (60.2574, -34.0099, 36.2677)]  # fmt: skip
    b = [(50, 0, -82.7485), (50, -1, 2), (50, -2.49, 0.0009), (50, 0.0009, -2.49),
         (50, 0, -2.5), (60.4626, -34.1751, 39.4387)]  # fmt: skip
    found = scores.ciede2000(np.array(a, float), np.array(b, float))
    assert np.allclose(found, [2.0425, 2.3669, 7.1792, 4.8045, 4.3065, 1.2644], atol=1e-4)


def test_iou_and_boundary_of_a_shifted_square() -> None:
    assert scores.iou(square(10, 10, 20), square(10, 10, 20)) == 1
    assert scores.iou(square(10, 10, 20), square(20, 10, 20)) == pytest.approx(1 / 3)
    assert scores.boundary_f(square(10, 10, 20), square(12, 10, 20)) == 1
    assert scores.boundary_f(square(10, 10, 20), square(15, 10, 20)) < 0.8
    assert scores.boundary_f(square(10, 10, 20), np.zeros((64, 64), bool)) == 0
    assert scores.iou(np.zeros((4, 4), bool), np.zeros((4, 4), bool)) == 1


def test_psnr_l1_and_ssim_look_only_inside() -> None:
    a = np.full((64, 64, 3), 100, np.uint8)
    b = a.copy()
    b[:10] = 0
    inside = square(20, 20, 30)
    assert scores.l1(a, b, inside) == 0
    assert scores.psnr(a, a + np.uint8(10), inside) == pytest.approx(28.13, abs=0.01)
    assert scores.ssim_map(a, b)[inside].min() == pytest.approx(1)
    assert scores.ssim_map(a, b)[:8].max() < 0.1


def test_a_seam_is_seen_and_a_true_picture_has_none() -> None:
    hole, valid = square(20, 20, 24).astype(np.uint8), np.ones((64, 64), bool)
    flat = np.full((64, 64, 3), 120, np.uint8)
    patched = flat.copy()
    patched[hole > 0] = (140, 120, 120)
    assert scores.seam(flat, hole, valid) == pytest.approx(0, abs=1e-3)
    assert scores.seam(patched, hole, valid) > 3
    assert scores.seam(patched, np.zeros_like(hole), valid) == 0


def test_an_edge_is_compared_with_the_true_one_within_and_without() -> None:
    hole, valid = square(20, 20, 24).astype(np.uint8), np.ones((64, 64), bool)
    true = np.full((64, 64, 3), 120, np.uint8)
    inside, beside, deep, far = (true.copy() for _ in range(4))
    inside[hole > 0] = 140
    beside[18:46, 18:46] = 140
    deep[23:41, 23:41] = 0  # 3 px from the edge
    far[:17] = 0
    assert scores.edge_error(true, true, hole, valid) == 0
    one, two = (scores.edge_error(picture, true, hole, valid) for picture in (inside, beside))
    assert 3 < one < two and two == pytest.approx(2 * one, rel=0.15)
    assert scores.edge_error(deep, true, hole, valid) == 0
    assert scores.edge_error(far, true, hole, valid) == 0
    assert np.isnan(scores.edge_error(deep, true, np.zeros_like(hole), valid))
    assert scores.brightness(inside, true, hole > 0) == 20


def test_a_mean_has_a_standard_error() -> None:
    assert scores.mean_and_error([1.0, 3.0, float("nan")]) == (2.0, pytest.approx(1.0))
    assert all(np.isnan(scores.mean_and_error([1.0, float("nan")])))


def test_auc_counts_ties_half() -> None:
    assert scores.auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1
    assert scores.auc(np.array([1.0]), np.array([1.0, 1.0])) == 0.5
    assert scores.auc(np.array([0.0, 3.0]), np.array([1.0, 2.0])) == 0.5


def test_frechet_of_shifted_clouds_is_the_squared_shift() -> None:
    cloud = np.random.default_rng(0).normal(size=(400, 4))
    assert scores.frechet(cloud, cloud) == pytest.approx(0, abs=1e-6)
    assert scores.frechet(cloud, cloud + (3, 0, 0, 0)) == pytest.approx(9, abs=1e-3)
    assert scores.frechet(cloud, 2 * cloud) == pytest.approx(4, rel=0.2)


def test_cases_are_the_same_every_time_and_cover_all_sets(judged: Faces) -> None:
    plan = cases.jobs(judged)
    assert [job.set for job in plan] == [cases.SETS[0]] * 2 + [cases.SETS[1], cases.SETS[2]]
    for job in plan:
        first, second = (cases.make(judged, job, job.face) for _ in range(2))
        assert np.array_equal(first.masked, second.masked)
        assert first.mask.any() and first.masked.any()
        if first.labels["source"] == "utk":
            assert (first.labels["age"], first.labels["ethnicity"]) == ("20-39", "Asian")


def test_small_faces_have_lost_detail(judged: Faces) -> None:
    small = next(job for job in cases.jobs(judged) if job.small)
    bare = cases.make(judged, small, small.face).bare.astype(float)
    sharp = data.view(judged, small.face, None).image * 255
    assert np.abs(np.diff(bare, axis=1)).mean() < 0.9 * np.abs(np.diff(sharp, axis=1)).mean()


def test_who_a_face_is_stands_in_the_origin() -> None:
    assert cases._who("utk", "14_1_4_2017.jpg.chip.jpg") == {"age": "13-19", "ethnicity": "other"}
    assert cases._who("aaf", "08780A65.jpg") == {"age": "60+"}
    assert cases._who("utk", "unknown.jpg") == cases._who("omi", "606.jpg") == {}


def test_ridge_paints_a_face_that_it_knows(judged: Faces) -> None:
    learnt = baselines.learn(judged)
    row = int(np.flatnonzero(judged.split == "train")[-1])
    seen = data.view(judged, row, None)
    image, hole = cases.to_bytes(seen.image), np.zeros((256, 256), np.uint8)
    hole[140:220, 80:180] = 1
    inside = hole > 0
    painted = learnt.ridge(np.where(inside[..., None], 0, image), hole, seen.valid > 0)
    assert painted.shape == (256, 256, 3)
    ridge = scores.l1(cases.to_bytes((painted / 255).astype(np.float32)), image, inside)
    assert ridge < scores.l1(np.full_like(image, 128), image, inside) / 2


def test_editor_tables_have_every_row_and_nothing_changes_outside(judged: Faces) -> None:
    made, answers = editor.evaluate(judged, ENGINES, l1=ENGINES, against=ENGINES, workers=0)
    assert len(answers) == 4
    table = made.tables[cases.SETS[0]]
    assert list(table) == [
        "no-op", "mean face", "ridge", "L1 only", "previous weights", "ours", "ours, true map",
        "true picture",
    ]  # fmt: skip
    assert all(row["outside"] == 0 for name, row in table.items() if name != "true picture")
    for other in ("L1 only", "previous weights"):
        assert table["ours"] == table[other]
        paired = made.groups[f"ours less {other}: {cases.SETS[0]}"]
        assert paired["mean"]["psnr"] == paired["standard error"]["psnr"] == 0
    assert table["ours, true map"]["psnr"] > table["no-op"]["psnr"]
    assert made.groups["age"]["20-39"]["n"] == 3
    again, _ = editor.evaluate(judged, ENGINES, workers=0, limit=1)
    assert again.digest != made.digest


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation network as it begins."""
    return beginning("judge", tmp_path_factory.mktemp("judge") / "best.safetensors")


def test_a_judge_finds_the_same_picture_at_no_distance(judge: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    other = np.where(square(0, 0, 64).repeat(4, 0).repeat(4, 1)[..., None], 255 - picture, picture)
    inside = np.ones((256, 256), bool)
    same, apart = Judge(judge).look([picture, other], picture, inside)
    assert same.distance == pytest.approx(0, abs=1e-6) and apart.distance > 1e-4
    assert same.texture == pytest.approx(0, abs=1e-6) and apart.texture > 1e-4
    assert same.content == pytest.approx(0, abs=1e-5) and apart.content > 1e-4
    assert np.linalg.norm(same.identity) == pytest.approx(1, abs=1e-4)


def test_with_a_judge_tables_have_distance_and_identity_and_of_many_frechet(
    judged: Faces, judge: Path
) -> None:
    made, _ = editor.evaluate(judged, ENGINES, judge=judge, workers=0)
    ours = made.tables[cases.SETS[0]]["ours"]
    assert min(ours[name] for name in ("perceptual", "texture", "content")) > 0
    assert -1 <= ours["identity"] <= 1
    assert "frechet" not in ours
    rng = np.random.default_rng(2)
    many = [editor.Opinion({}, v, v / np.linalg.norm(v)) for v in rng.normal(size=(200, 5))]
    row = editor.row(many, many)
    assert row["frechet"] == pytest.approx(0, abs=1e-6) and row["identity"] == pytest.approx(1)


def test_map_tables_are_in_range(judged: Faces) -> None:
    made, cells, shown = maps.evaluate(judged, ENGINES, workers=0)
    painted = made.tables["painted masks"][cases.SETS[0]]
    assert 0.3 < painted["IoU"] <= 1 and 0 <= painted["boundary F, 2 px"] <= 1
    plain = made.tables["bare faces"]
    assert {name: row["n"] for name, row in plain.items()} == {
        "val": 2, "val, darkest chin": 1, "val, darkest lips": 1, "small faces": 1,
        data.UNSEEN_SETS[0]: 1,
    }  # fmt: skip
    things = made.tables["things that are no mask"]
    assert len(cells) == 4 and shown == []
    assert things["all before a masked face"]["n"] == 4
    assert things["all before a bare face"]["n"] == 3  # the val sets share their bare faces


def test_things_before_small_faces_are_as_small(
    judged: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[UInt8] = []

    def look(mapper: object, picture: UInt8) -> object:
        looked.append(picture)
        return found(mapper, picture)  # type: ignore[arg-type]

    def grain(
        image: Float32, mesh: Float32, rng: np.random.Generator
    ) -> tuple[Float32, Float32, str]:
        return rng.random(image.shape, np.float32), np.ones((CROP, CROP), np.float32), "hand"

    job = next(job for job in cases.jobs(judged) if job.small)
    worker = maps._Worker(judged, {job.face: job.face}, ENGINES)
    monkeypatch.setattr("training.evaluation.maps.found", look)
    monkeypatch.setattr("training.unseen.hide", grain)
    worker(job)
    assert len(looked) == 3  # the masked face, and a thing before it, masked and bare
    for picture in looked[1:]:
        assert np.abs(np.diff(picture.astype(int), axis=1)).mean() < 40  # of independent pixels: 85


def test_the_true_map_is_grown_as_the_programs_own(judged: Faces) -> None:
    case = cases.make(judged, cases.jobs(judged)[0], 0)
    hole = editor.true_hole(replace(case, mask=square(20, 20, 1)))
    rows, columns = np.nonzero(hole)
    assert np.ptp(rows) == np.ptp(columns) == 2 * GROW_PX
    assert hole[20 - GROW_PX, 20 - GROW_PX] == 0  # by a disc, not by a square


def test_guesses_of_the_same_person_and_of_a_stranger(faces: Faces) -> None:
    studio = faces.where(np.arange(len(faces)) < 4)
    studio.set = np.array([prior.STUDIO] * 4)
    studio.origin = np.array(["001_03.jpg", "001_08.jpg", "002_03.jpg", "002_08.jpg"])
    assert prior.pairs(studio) == [prior.Pair(0, 1, 3), prior.Pair(3, 2, 0)]
    table = prior.evaluate(studio, ENGINES, workers=0)
    assert list(table) == [prior.NO_GUESS, prior.SAME, prior.LIKE, prior.STRANGER]
    assert all(row["n"] == 2 and row["outside"] == 0 for row in table.values())
    with pytest.raises(ValueError, match="shows nobody with two"):
        prior.evaluate(faces, ENGINES)


def test_a_missed_mask_has_no_seam(judged: Faces) -> None:
    job = next(job for job in cases.jobs(judged) if job.painter == "unseen")
    case = cases.make(judged, job, job.face)
    nothing = np.zeros((CROP, CROP), np.uint8)
    whole = np.ones((CROP, CROP), np.uint8)
    whole[:, : CROP // 2] = 0
    made = {"missed": (case.masked, nothing), "seen": (case.masked, whole)}
    missed, seen = editor.opinions(case, made, None).values()
    both = editor.row([missed, seen], [missed, seen])
    assert both["found"] == 0.5
    assert both["seam"] == seen.numbers["seam"] and both["area"] == seen.numbers["area"]


def test_the_set_of_small_faces_has_its_size(faces: Faces) -> None:
    one = faces.where(np.arange(len(faces)) < 1)
    one.set = np.array(data.UNSEEN_SETS[:1])
    many = Faces(
        one.coded * 390,
        *(getattr(one, name).repeat(390, 0)
          for name in ("landmarks", "corners", "split", "set", "origin", "name")),
    )  # fmt: skip
    chosen = [job.face for job in cases.jobs(many)]
    assert len(chosen) == len(set(chosen)) == cases.SMALL_FACES


def test_copies_judge_nothing(judged: Faces) -> None:
    assert [job.face for job in cases.jobs(judged)] == [0, 1, 0, 2]
    some = judged.where(np.ones(len(judged), bool))
    some.name = some.name.astype("<U24")
    some.name[0] = data.COPIES[0]  # of a training picture
    some.origin[2] = "augmented_image_118.jpg"  # of another picture of its set
    assert [job.face for job in cases.jobs(some)] == [1, 1]
    assert list(data.validation_faces(some).name) == [some.name[1]]


def test_no_held_out_face_is_an_error(faces: Faces) -> None:
    with pytest.raises(ValueError, match="no held-out faces"):
        maps.evaluate(faces, ENGINES)


def test_photos_for_scoring_leave_out_near_duplicates(pictures: Path, tmp_path: Path) -> None:
    one = next(iter(sorted(pictures.iterdir()))).read_bytes()
    names = [f"p{k}.png" for k in range(40)]
    kept = next(name for name in names if for_scoring(name))
    other = next(name for name in names if not for_scoring(name))
    (tmp_path / kept).write_bytes(one)
    alone = photos.held(tmp_path)
    assert [name for name, _ in alone.pictures] == [kept] and alone.twins == 0
    assert len(next(photos.crops(alone)).crops) == 1
    (tmp_path / other).write_bytes(one)
    assert photos.held(tmp_path).twins == 1
    (tmp_path / kept).unlink()
    with pytest.raises(ValueError, match="no photograph that is kept"):
        photos.held(tmp_path)


def test_photos_are_told_from_bare_faces_of_the_unseen_sources_too(
    judged: Faces, pictures: Path, tmp_path: Path
) -> None:
    one = next(iter(sorted(pictures.iterdir()))).read_bytes()
    (tmp_path / next(n for k in range(40) if for_scoring(n := f"p{k}.png"))).write_bytes(one)
    made, _, cells = maps.evaluate(judged, ENGINES, masked=tmp_path, workers=0)
    table = made.tables["photographs"]
    assert table["all, against val"]["bare faces"] == 2
    assert table["all, against unseen sources"]["bare faces"] == 1
    assert len(cells) == 1


def test_engines_take_a_mask_off_and_leave_a_bare_face_as_it_is(faces: Faces) -> None:
    seen = data.view(faces, 0, None)
    masked = cases.to_bytes(seen.image)
    everywhere = np.ones((CROP, CROP), bool)
    case = cases.Case(
        cases.SETS[0], {}, masked, masked, masked, everywhere, everywhere, seen.mesh
    )
    with Engines(ENGINES) as ours:
        found = ours.find(masked)
        assert found.worn and found.hole.any()
        bare = ours.unmask(case, found.hole)
        found = ours.find(bare)
        assert not found.worn and not found.hole.any()
        again = replace(case, masked=bare, frame=bare)
        assert ours.unmask(again, found.hole) is bare


def test_paint_is_as_coarse_as_the_picture_it_is_laid_into(judged: Faces) -> None:
    job = next(job for job in cases.jobs(judged) if job.small)
    case = cases.make(judged, job, job.face)
    side = case.frame.shape[0]
    assert side < CROP
    assert np.array_equal(cases.enlarged(case.frame), case.masked)
    hole = np.zeros((CROP, CROP), np.uint8)
    hole[140:220, 80:180] = 1
    grain = np.random.default_rng(2).uniform(0, 255, (CROP, CROP, 3)).astype(np.float32)
    laid = laid_in(grain, case, hole)
    steps = [np.abs(np.diff(p[160:200, 100:160].astype(float), axis=1)) for p in (laid, grain)]
    assert steps[0].mean() < 0.6 * steps[1].mean()
    apart = np.abs(laid.astype(int) - case.masked).max(2)
    assert apart[hole == 1].max() > 0
    assert apart[editor._reached(hole, case) == 0].max() == 0


def test_a_crop_of_a_small_picture_is_what_the_program_cuts() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (90, 90, 3)).astype(np.uint8)
    theirs = crop(frame, cases.alignment(90)).astype(int)
    assert np.abs(theirs - cases.enlarged(frame)).max() <= 4  # OpenCV's steps of 1/32 px


def test_commands_write_tables_and_sheets(judged: Faces, tmp_path: Path) -> None:
    save_shard(tmp_path / "faces-000.npz", judged)
    for network in ("map", "editor"):
        sheet = tmp_path / network / "sheet.png"
        saved = tmp_path / network / "scores.json"
        arguments = ["evaluate", network, "--data", str(tmp_path), "--engines", str(ENGINES),
                     "--workers", "0"]  # fmt: skip
        assert main([*arguments, "--json", str(saved), "--sheet", str(sheet)]) == 0
        assert saved.exists() and sheet.exists()
        assert saved.with_suffix(".md").read_text().startswith("## ")


def test_a_table_leaves_unknown_cells_empty(tmp_path: Path) -> None:
    rows = {"a": {"x": 1.0}, "b": {"x": float("nan"), "y": 0.25}}
    text = report.table(rows)
    assert text.splitlines()[2:] == ["| a | 1 |  |", "| b |  | 0.25 |"]
    report.save(tmp_path / "scores.json", {"set": rows, "digest": "c0ffee"}, text)
    saved = json.loads((tmp_path / "scores.json").read_text())
    assert saved == {"set": {"a": {"x": 1.0}, "b": {"x": None, "y": 0.25}}, "digest": "c0ffee"}


def _seen(marked: list[int], hole: list[int]) -> Found:
    """A map of which the given rows were marked, and others painted over."""
    planes = np.zeros((2, CROP, CROP), np.uint8)
    planes[0, marked] = planes[1, hole] = 1
    values = planes[0].astype(np.float32)
    return Found(MaskMap(values, 0.5), planes[0] > 0, True, planes[1])


def test_straps_count_by_how_much_of_their_line_was_found() -> None:
    double = Alignment(np.array([[2.0, 0, 0], [0, 2.0, 0]]), CROP)  # half a crop: 64 px a side
    across = np.array([(10, 20), (60, 20)], np.float32)  # the photo's px; row 40 of the crop
    down = np.array([(30, 15), (30, 40)], np.float32)
    outside = np.array([(-10, 20), (60, 20)], np.float32)
    half = _seen(list(range(30, 55)), list(range(256)))
    assert straps.found_of(across, [half], [double]) == straps.Strap(1, 1)
    upright = straps.found_of(down, [half], [double])
    assert upright is not None
    assert upright.marked == pytest.approx(0.5, abs=0.05) and upright.painted == 1
    assert straps.found_of(outside, [half], [double]) is None
    nothing = _seen([], [])
    assert straps.found_of(across, [nothing], [double]) == straps.Strap(0, 0)
    for faces in ([nothing, half], [half, nothing]):
        assert straps.found_of(across, faces, [double, double]) == straps.Strap(1, 1)
    # Where a long one ends nobody can tell.
    middle = _seen(list(range(30 + straps.END_PX, 81 - straps.END_PX)), [])
    assert straps.found_of(down, [middle], [double]) == straps.Strap(1, 0)
    made = straps.table([straps.Strap(1, 1), straps.Strap(0, 0.05)])["straps"]
    assert made == {
        "n": 2, "marked as mask": 0.5, "painted over": pytest.approx(0.525), "missed": 0.5
    }  # fmt: skip


def test_straps_of_scoring_photos_are_looked_for_in_their_place(
    judged: Faces, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = next(iter(sorted(pictures.iterdir())))
    name = next(n for k in range(40) if for_scoring(n := f"p{k}.png"))
    (tmp_path / name).write_bytes(one.read_bytes())
    alignment = next(photos.crops(photos.held(tmp_path))).alignments[0]
    back = alignment.inverse()

    def line(*points: tuple[float, float]) -> Float32:
        placed = np.array(points) @ back[:, :2].T + back[:, 2]
        return np.asarray(placed, np.float32)

    across, beyond = line((60.0, 200.0), (190.0, 200.0)), line((60.0, 200.0), (400.0, 200.0))
    monkeypatch.setattr(straps, "lines", lambda: {name: [across, beyond]})
    rows = np.zeros((CROP, CROP), np.uint8)
    rows[198:203] = 1
    seen = Found(MaskMap(rows.astype(np.float32), 0.5), rows > 0, True, rows)
    monkeypatch.setattr(maps, "found", lambda mapper, crop: seen)
    kept = photos.held(tmp_path)
    tables, _ = maps._photos(kept, ENGINES, {})
    assert tables["straps in photographs"]["straps"]["n"] == 1
    assert tables["straps in photographs"]["straps"]["painted over"] == 1
    monkeypatch.setattr(straps, "lines", dict)
    assert "straps in photographs" not in maps._photos(photos.held(tmp_path), ENGINES, {})[0]


def test_straps_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "straps.json").write_text("{")
    with pytest.raises(ValueError, match=r"straps\.json cannot be read"):
        straps.lines(tmp_path / "straps.json")
    (tmp_path / "straps.json").write_text('{"a.png": [[1, 2]]}')
    with pytest.raises(ValueError, match=r"a\.png: strap 1"):
        straps.lines(tmp_path / "straps.json")


def test_the_shipped_straps_are_of_scoring_photos() -> None:
    lines = straps.lines()
    assert len(lines) > 50
    for name, those in lines.items():
        assert for_scoring(name) and those
        assert all(line.ndim == 2 and len(line) >= 2 for line in those)
