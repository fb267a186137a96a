"""`evaluate`: what is checked first, which tables are made, and where they go."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from realtime_unmask.inference.manifest import Network
from training.options import writable

if TYPE_CHECKING:
    from training.evaluation.editor import Report


def evaluate_map(options: argparse.Namespace) -> None:
    """Print the tables of the map module, and write what was asked for."""
    from training.evaluation import maps, report
    from training.shards import load_shards
    from training.sheet import sheet

    _check_written(options, options.sheet, options.photo_sheet)
    _check_engines(options.engines, "map")
    if options.masked or options.turned:
        _check_mediapipe()
    judged, painted, photos = maps.evaluate(
        load_shards(options.data), options.engines, masked=options.masked,
        limit=options.limit, workers=options.workers, turned=options.turned,
    )  # fmt: skip
    text = report.document(f"Map, evaluation set {judged.digest}", judged.tables)
    print(text)
    if options.json:
        report.save(options.json, judged.as_json(), text)
    for cells, path in ((painted, options.sheet), (photos, options.photo_sheet)):
        if path and cells:
            sheet(report.some(cells, 120), 12, path)


def evaluate_editor(options: argparse.Namespace) -> None:
    """Print the tables of the editor, and write what was asked for."""
    from training.evaluation import editor, motion_blur, moving, prior, report, steady
    from training.face_networks import load_face_network
    from training.shards import load_shards
    from training.sheet import sheet

    # First all that can be wrong: hours are spent later.
    _check_written(options, options.sheet)
    faces = load_shards(options.data)
    for folder in filter(None, (options.engines, options.l1, options.against)):
        _check_engines(folder, "map", "editor")
    if options.faces:
        load_face_network(options.faces, "judge")
    if options.prior or options.steady or options.clips:
        _check_mediapipe()
    if options.prior:
        prior.plan(faces)
    clips = {}
    if options.clips:  # first, since they may turn out to show no face
        clips = moving.evaluate(faces, options.clips, options.engines, workers=options.workers)
    judged, answers = editor.evaluate(
        faces, options.engines,
        l1=options.l1, against=options.against, judge=options.faces, limit=options.limit,
        workers=options.workers,
    )  # fmt: skip
    if options.sheet:
        sheet(report.some([answer.thumbs for answer in answers], 60), 4, options.sheet)
    if clips:
        judged.tables["clips, unseen painter"] = clips
    _editor_report(options, judged)
    if options.motion_blur:
        judged.tables["motion blur, unseen painter"] = motion_blur.evaluate(
            faces, options.engines,
            against=options.against, limit=options.limit, workers=options.workers,
        )  # fmt: skip
        _editor_report(options, judged)
    if options.prior:
        judged.tables["guesses, unseen painter"] = prior.evaluate(
            faces, options.engines,
            judge=options.faces, limit=options.limit, workers=options.workers,
        )  # fmt: skip
        _editor_report(options, judged)
    if options.steady:
        judged.tables["a minute of a still head"] = steady.evaluate(
            faces, options.engines, workers=options.workers
        )
    print(_editor_report(options, judged))


def _editor_report(options: argparse.Namespace, judged: Report) -> str:
    """The tables so far, which are also written: a later one may fail."""
    from training.evaluation import report

    title = f"Editor, evaluation set {judged.digest}"
    text = report.document(title, judged.tables | judged.groups)
    if options.json:
        report.save(options.json, judged.as_json(), text)
    return text


def _check_written(options: argparse.Namespace, *sheets: Path | None) -> None:
    writable(options.json, options.json and options.json.with_suffix(".md"), *sheets)


def _check_mediapipe() -> None:
    """Raise ImportError here rather than after all that needs none."""
    import mediapipe  # noqa: F401


def _check_engines(folder: Path, *networks: Network) -> None:
    """Raise EngineDamaged here rather than in each of many processes."""
    from realtime_unmask.inference.manifest import Manifest, read_network

    manifest = Manifest.load(folder)
    for network in networks:
        read_network(folder, manifest.entry(network))
