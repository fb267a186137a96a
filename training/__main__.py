"""The steps of the training: from pictures to shards, to networks, to figures, to engines/."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import typing
from pathlib import Path
from tarfile import TarError
from typing import TYPE_CHECKING, Any

from realtime_unmask.errors import UnmaskError
from realtime_unmask.inference.manifest import Network
from training.evaluate import evaluate_editor, evaluate_map
from training.options import (
    CONFIG,
    COUNT,
    MINUTES,
    SHARE,
    picture,
    scores,
    shown_default,
    whole,
    words,
    writable,
)

if TYPE_CHECKING:
    from training.export import Planes

DATA = Path("data/prepared")
REAL = Path("data/real_masks.npz")
RUNS = Path("runs")
# On so many prepared faces an exported network is compared with torch.
COMPARED = 16
# Pictures of the project's own data whose mouth is not to be seen.
NOT_BARE = Path(__file__).with_name("not_bare.txt")


def main(arguments: list[str] | None = None) -> int:
    """Run one step; 0 when it is done, 1 when it could not be."""
    try:
        options = _parser().parse_args(arguments)
        options.do(options)
    except (UnmaskError, ValueError, OSError, RuntimeError, TarError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what was written before is kept", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="STEP")

    step = steps.add_parser("prepare", help="tars or folders of faces -> shards (needs mediapipe)")
    step.add_argument("inputs", nargs="+", type=Path, metavar="TAR_OR_FOLDER")
    step.add_argument("-o", "--out", type=Path, default=DATA)
    step.add_argument(
        "--exclude", type=Path, default=NOT_BARE, metavar="FILE",
        help="names of pictures to leave out, one a line (default: training/not_bare.txt)",
    )  # fmt: skip
    step.set_defaults(do=_prepare)

    step = steps.add_parser(
        "profiles", help="copies of prepared faces with their heads turned (needs mediapipe)"
    )
    step.add_argument("inputs", nargs="+", type=Path, metavar="TAR_OR_FOLDER",
                      help="those that were given to `prepare`")
    step.add_argument("--data", type=Path, default=DATA, help="where it put them")
    step.add_argument("--share", type=SHARE, default=0.35,
                      help="of the faces that may be trained on, which are tried")
    step.set_defaults(do=_profiles)

    step = steps.add_parser(
        "harvest", help="photos of people in masks with checked outlines -> labels and textures"
    )
    step.add_argument("photos", type=Path, metavar="TAR_OR_FOLDER")
    step.add_argument("-o", "--out", type=Path, default=REAL)
    step.set_defaults(do=_harvest)

    step = steps.add_parser("sheet", help="a contact sheet of what a network is trained on")
    step.add_argument("network", choices=("map", "editor"))
    step.add_argument("-o", "--out", type=picture, default=Path("sheet.png"))
    step.add_argument("--data", type=Path, default=DATA)
    step.add_argument("--count", type=COUNT, default=48)
    step.add_argument("--seed", type=whole(0), default=1)
    step.set_defaults(do=_sheet)

    train = steps.add_parser("train", help="train a network; resumes where it stopped")
    networks = train.add_subparsers(required=True, metavar="NETWORK")
    for name in ("map", "editor", "faces"):
        step = networks.add_parser(name)
        step.add_argument("--data", type=Path, default=DATA)
        step.add_argument("--threads", type=whole(0), default=0, help="CPU threads; 0: all")
        _add_config(step, name)
        step.set_defaults(do=_train, network=name)

    judged = steps.add_parser("evaluate", help="tables of the shipped engines on held-out faces")
    networks = judged.add_subparsers(required=True, metavar="NETWORK")
    for name in ("map", "editor"):
        step = networks.add_parser(name)
        step.add_argument("--data", type=Path, default=DATA)
        step.add_argument("--engines", type=Path, default=Path("engines"))
        step.add_argument("--limit", type=COUNT, help="about so many val faces instead of all")
        step.add_argument("--workers", type=whole(0),
                          help="processes; 0: none (default: all cores)")
        step.add_argument("--json", type=scores, help="tables as JSON; as Markdown beside it")
        step.add_argument("--sheet", type=picture, help="a contact sheet of the painted masks")
        step.set_defaults(do=evaluate_map if name == "map" else evaluate_editor)
        if name == "map":
            step.add_argument("--masked", type=Path, metavar="TAR_OR_FOLDER",
                              help="photographs of people in masks; judged on a held-out quarter")
            step.add_argument("--photo-sheet", type=picture, help="a contact sheet of those")
            step.add_argument("--turned", action="store_true",
                              help="also whole pictures, and photographs on their side or head")
        else:
            step.add_argument("--against", type=Path, metavar="FOLDER", help="earlier engines")
            step.add_argument("--l1", type=Path, metavar="FOLDER",
                              help="engines that learnt by reconstruction alone")
            step.add_argument("--faces", type=Path, metavar="CHECKPOINT",
                              help="of `train faces --design judge`: distance and identity")
            step.add_argument("--prior", action="store_true",
                              help="also what a guess from another picture of the person is worth")
            step.add_argument("--steady", action="store_true",
                              help="also a minute of a still head, frame after frame")
            step.add_argument("--motion-blur", action="store_true",
                              help="also heads that move while they are exposed")
            step.add_argument("--clips", type=Path, metavar="FOLDER",
                              help="also videos of bare faces, masked and unmasked again")

    step = steps.add_parser("ablate", help="what each part of the editor's training is worth")
    step.add_argument("--data", type=Path, default=DATA)
    step.add_argument("--folder", type=Path, default=RUNS / "ablation")
    step.add_argument("--faces", type=Path, default=RUNS / "perceptual" / "best.safetensors")
    step.add_argument("--judge", type=Path, default=RUNS / "judge" / "best.safetensors")
    step.add_argument("--minutes", type=MINUTES, default=20.0, help="for each variant")
    step.set_defaults(do=_ablate)

    step = steps.add_parser("plots", help="curves of a run, from its log")
    step.add_argument("run", type=Path)
    step.add_argument("-o", "--out", type=Path, help="(default RUN/curves.png)")
    step.set_defaults(do=_plots)

    step = steps.add_parser("quantise", help="engines/ in 8 bits as well (pip install nncf)")
    step.add_argument("network", nargs="?", choices=("map", "editor"), help="both unless named")
    step.add_argument("--data", type=Path, default=DATA)
    step.add_argument("--engines", type=Path, default=Path("engines"))
    step.set_defaults(do=_quantise)

    step = steps.add_parser("export", help="averaged weights -> engines/ or training/weights/")
    step.add_argument("network", choices=("map", "editor", "perceptual", "judge", "discriminators"))
    step.add_argument("--folder", type=Path)
    step.add_argument("--engines", type=Path, default=Path("engines"))
    step.add_argument("--data", type=Path,
                      help="prepared faces, on which map and editor have to agree with torch "
                      f"(default: {DATA}, if it is there)")  # fmt: skip
    step.add_argument("--set", action="append", default=[], dest="sets", metavar="NAME",
                      help="a data set that it was trained on, for the manifest")  # fmt: skip
    step.add_argument("--metrics", type=Path, help="JSON of `evaluate`, for the manifest")
    step.add_argument("--prior", action="store_true", help="the editor may use its prior")
    step.add_argument("--calm", type=SHARE, default=0.0, metavar="SHARE",
                      help="of the editor's weights of before the discriminators, mixed in")
    step.set_defaults(do=_export)
    return parser


def _ablate(options: argparse.Namespace) -> None:
    from training.ablation import ablate
    from training.shards import load_shards

    writable(options.folder / "table.md")
    faces = load_shards(options.data)
    table = ablate(faces, options.folder, options.faces, options.judge, options.minutes)
    (options.folder / "table.md").write_text(table + "\n")


def _config_type(network: str) -> Any:
    if network == "map":
        from training.train_map import MapConfig

        return MapConfig
    if network == "faces":
        from training.train_faces import FacesConfig

        return FacesConfig
    from training.train_editor import EditorConfig

    return EditorConfig


def _add_config(step: argparse.ArgumentParser, network: str) -> None:
    """One option for each field of the network's config."""
    try:
        config = _config_type(network)
    except ModuleNotFoundError as error:  # prepare runs where torch is not installed
        step.epilog = f"Not available here: {error}."
        return
    kinds, said = typing.get_type_hints(config), words(config)
    for field in dataclasses.fields(config):
        kind = kinds[field.name]
        choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else None
        if choices:
            kind = str
        elif type(None) in typing.get_args(kind):
            kind = next(k for k in typing.get_args(kind) if k is not type(None))
        kind = CONFIG.get(field.name, kind)
        default = None if field.name == "folder" else field.default
        shown = f"{RUNS}/NETWORK" if field.name == "folder" else shown_default(default)
        step.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, choices=choices, default=default,
            help=f"{said[field.name]} (default: {shown})".replace("%", "%%"),
        )  # fmt: skip


def _prepare(options: argparse.Namespace) -> None:
    from training.prepare import prepare

    writable(options.out / "faces-000.npz")
    print(f"{prepare(options.inputs, options.out, options.exclude)}; they are in {options.out}")


def _profiles(options: argparse.Namespace) -> None:
    from training import profiles

    if options.data.is_dir():
        writable(options.data / f"{profiles.STEM}-000.npz")
    for what, count in profiles.add(options.inputs, options.data, options.share).most_common():
        print(f"{count:6d}  {what}")


def _harvest(options: argparse.Namespace) -> None:
    from training.real_masks import harvest

    writable(options.out)
    for what, count in harvest(options.photos, options.out).most_common():
        print(f"{count:6d}  {what}")


def _train(options: argparse.Namespace) -> None:
    import torch

    from training import train_editor, train_faces, train_map
    from training.shards import load_shards

    if options.threads:
        torch.set_num_threads(options.threads)
    kind = _config_type(options.network)
    chosen = {f.name: getattr(options, f.name) for f in dataclasses.fields(kind)}
    if chosen["folder"] is None:
        chosen["folder"] = RUNS / getattr(options, "design", options.network)
    writable(chosen["folder"] / "last.safetensors")
    faces = load_shards(options.data)
    trains: dict[str, Any] = {
        "map": train_map.train, "editor": train_editor.train, "faces": train_faces.train,
    }  # fmt: skip
    trains[options.network](kind(**chosen), faces)


def _sheet(options: argparse.Namespace) -> None:
    from training.data import Stream, training_faces
    from training.editor_data import editor_maker
    from training.map_data import map_sample
    from training.shards import load_shards
    from training.sheet import of_samples

    writable(options.out)
    faces = training_faces(load_shards(options.data))
    make = map_sample if options.network == "map" else editor_maker(faces)
    stream = Stream(faces, make, options.seed)
    of_samples([stream.sample(number) for number in range(options.count)], options.out)
    print(options.out)


def _plots(options: argparse.Namespace) -> None:
    from training.plots import plot

    print(plot(options.run, options.out or options.run / "curves.png"))


def _quantise(options: argparse.Namespace) -> None:
    from training.quantise import quantise
    from training.shards import load_shards

    faces = load_shards(options.data)
    networks: tuple[Network, ...] = (options.network,) if options.network else ("map", "editor")
    for network in networks:
        loss = quantise(network, faces, options.engines)
        print(f"{network}: {loss.before:.4f} before, {loss.after:.4f} in 8 bits")


def _export(options: argparse.Namespace) -> None:
    from training.export import export, export_discriminators, export_face_network
    from training.files import json_table

    if options.network == "discriminators":
        print(export_discriminators(options.folder or RUNS / "editor"))
        return
    run = options.folder or RUNS / options.network
    if options.network in ("perceptual", "judge"):
        print(export_face_network(options.network, run))
        return
    metrics = json_table(options.metrics) if options.metrics else {}
    about = {"data": tuple(options.sets), "metrics": metrics, "prior_supported": options.prior}
    crops = _compared(options)
    worst = export(options.network, run, options.engines, about, options.calm, crops)
    where = f"random pictures and {len(crops)} faces" if crops else "random pictures alone"
    print(f"{options.network}: exported, at most {worst * 255:.4f}/255 from torch, on {where}")


def _compared(options: argparse.Namespace) -> list[Planes]:
    """What the network is given of some prepared faces; none where there are none."""
    from training.data import training_faces, validation_faces
    from training.quantise import inputs, samples
    from training.shards import load_shards

    if options.data is None and not any(DATA.glob("faces-*.npz")):
        return []
    faces = load_shards(options.data or DATA)
    held = validation_faces(faces)
    chosen = held if len(held) else training_faces(faces)
    made = samples(options.network, chosen, COMPARED, options.prior)
    return [inputs(options.network, sample) for sample in made]


if __name__ == "__main__":
    sys.exit(main())
