"""Colab: its Drive is mounted, and what is made there stays there; elsewhere nothing happens."""

import os
import sys
import types

from labkit.io import colab


def test_work_goes_on_on_the_drive(tmp_path, monkeypatch, capsys):
    """The Drive is mounted, its folder is made and is the current one."""
    monkeypatch.chdir(tmp_path)
    mounted = []
    module = types.ModuleType("google.colab")
    module.drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", module)
    monkeypatch.setattr(colab, "DRIVE", tmp_path / "drive")
    colab.use_drive()
    assert mounted == [str(tmp_path / "drive")] and os.getcwd() == str(tmp_path / "drive" / "MyDrive" / "labkit")
    assert "MyDrive/labkit" in capsys.readouterr().out


def test_away_from_colab(tmp_path, monkeypatch, capsys):
    """Elsewhere the folder stays, and it is said where things lie."""
    monkeypatch.chdir(tmp_path)
    colab.use_drive()
    assert os.getcwd() == str(tmp_path) and "только в Colab" in capsys.readouterr().out
