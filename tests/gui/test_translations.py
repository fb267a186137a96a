"""Every word of the window is translated, and the translations that ship are up to date."""

from __future__ import annotations

import ast
import string
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QTranslator
from PyQt6.QtWidgets import QApplication

from realtime_unmask.ui.app import TRANSLATIONS

TS = sorted(TRANSLATIONS.glob("*.ts"))


def in_the_code() -> Iterator[tuple[str, str]]:
    """(context, text) of each call of tr() or translate()."""
    for path in sorted(TRANSLATIONS.parent.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for owner in tree.body:
            context = owner.name if isinstance(owner, ast.ClassDef) else ""
            for node in ast.walk(owner):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                words = [a.value for a in node.args if isinstance(a, ast.Constant)]
                if name == "tr":
                    yield context, words[0]
                elif name == "translate":
                    yield words[0], words[1]


def in_the_file(path: Path) -> dict[tuple[str, str], str]:
    return {
        (context.findtext("name", ""), message.findtext("source", "")): message.findtext(
            "translation", ""
        )
        for context in ET.parse(path).getroot().iter("context")
        for message in context.iter("message")
    }


def test_german_ships() -> None:
    assert [path.name for path in TS] == ["realtime_unmask_de.ts"]


@pytest.mark.parametrize("path", TS, ids=lambda path: path.stem)
def test_every_text_is_translated_and_none_is_left_over(path: Path) -> None:
    translated = in_the_file(path)
    assert set(in_the_code()) == set(translated)
    assert all(translated.values())


@pytest.mark.parametrize("path", TS, ids=lambda path: path.stem)
def test_compiled_file_is_made_from_the_texts(path: Path, qapp: QApplication) -> None:
    translator = QTranslator()
    assert translator.load(str(path.with_suffix(".qm")))
    qapp.installTranslator(translator)
    try:
        for (context, source), text in in_the_file(path).items():
            assert qapp.translate(context, source) == text
    finally:
        qapp.removeTranslator(translator)


@pytest.mark.parametrize("path", TS, ids=lambda path: path.stem)
def test_translations_have_the_same_gaps_to_fill(path: Path) -> None:
    def gaps(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    for (_, source), text in in_the_file(path).items():
        assert gaps(source) == gaps(text), source
