"""TensorBoard's events: as tensorboardX writes them, and done without where the disk is full."""

import errno
import io
import os
import socket
import warnings

import numpy as np
import pytest
from PIL import Image
from tensorboardX import SummaryWriter

from zfjax.data.formats.tfrecord import masked_crc32c
from zfjax.runs.folder import read_metrics
from zfjax.train.events import Events, _proto
from zfjax.train.log import MetricsLog


def events(folder) -> list[str]:
    """What is in the files of a folder, but for the times."""
    found = []
    for path in sorted(folder.glob("events*")):
        data = path.read_bytes()
        while data:
            size = int.from_bytes(data[:8], "little")
            record = data[12 : 12 + size]
            for part, crc in ((data[:8], data[8:12]), (record, data[12 + size : 16 + size])):
                assert masked_crc32c(part) == int.from_bytes(crc, "little")
            event = _proto().Event.FromString(record)
            assert event.wall_time > 1e9
            event.wall_time = 0
            found.append(str(event))
            data = data[16 + size :]
    return found


@pytest.mark.parametrize("start", [0, 7])
def test_the_events_are_those_of_tensorboardx(tmp_path, start):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    ours.mkdir()
    metrics = {"train_loss": 1.5, "val_top1": 0.25, "odd name (%)": 3}
    with SummaryWriter(str(theirs), purge_step=start or None) as writer:
        for name, value in metrics.items():
            writer.add_scalar(name, value, 8)
    written = Events(ours, start)
    written.add(metrics, 8)
    written.close()
    assert events(ours) == events(theirs)
    names = [path.name.split(".", 4) for folder in (ours, theirs) for path in folder.iterdir()]
    assert [name[:3] + name[4:] for name in names] == 2 * [["events", "out", "tfevents", socket.gethostname()]]


@pytest.mark.parametrize("channels", [3, 4])
def test_pictures_are_those_of_tensorboardx(tmp_path, channels):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    ours.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    Image.fromarray(picture).save(file := io.BytesIO(), "png")
    with SummaryWriter(str(theirs)) as writer:
        writer.add_image("watch/fire2/concat", picture, 8, dataformats="HWC")
    written = Events(ours, 0)
    written.show({"watch/fire2/concat": file.getvalue()}, 8)
    written.close()
    assert events(ours) == events(theirs)


def test_a_full_disk_costs_the_events_alone_and_is_said_once(tmp_path, monkeypatch):
    log = MetricsLog(tmp_path)
    log.rewind(0)
    log.append({"step": 1, "loss": 2.0})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.warns(UserWarning, match="tfevents.* cannot be written .No space left on device.: no more events"):
            log.append({"step": 2, "loss": 1.0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log.append({"step": 3, "loss": 0.5})
        log.close()
    assert [record["step"] for record in read_metrics(tmp_path)] == [1, 2, 3]
    assert len(events(tmp_path)) == 2


def test_events_follow_no_link(tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1234567890.5)
    (tmp_path / "mine").write_text("mine")
    Events(tmp_path, 0).close()
    [path] = tmp_path.glob("events*")
    path.unlink()
    path.symlink_to(tmp_path / "mine")
    with pytest.warns(UserWarning, match="no more events"):
        Events(tmp_path, 0).add({"loss": 1.0}, 1)
    assert (tmp_path / "mine").read_text() == "mine"
