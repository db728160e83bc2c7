"""Statistics of the gallery by plain NumPy on a dozen images; and what a kill, damage and other settings leave."""

import jax
import numpy as np
import pytest
from nets import TINY, canvas_side, middle, random_params, run_of

import zfjax.web.gallery.collect as module
from zfjax.convnet import forward
from zfjax.errors import InputError
from zfjax.paper.top_activations import Winners, responds, strongest_activations
from zfjax.web.gallery.collect import collect
from zfjax.web.gallery.parts import LayerPart, Part
from zfjax.web.gallery.statistics import joined, present, summarise, without_silence

COUNT, SIDE = 12, canvas_side(TINY)
MEAN = np.full((SIDE, SIDE, 3), 127.0, np.float32)
LAYERS = ["conv1", "conv2", "fc5"]  # fc5, the answer, may be negative


class Noise:
    """A source of seeded noise, of which some images are stand-ins for broken ones; after `stop` reads it fails."""

    class_names = ("a",)

    def __init__(self, stop: int | None = None, broken: tuple[int, ...] = ()):
        self.images = np.random.default_rng(5).integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)
        self.left, self.broken = stop, broken

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> dict:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        sound = {"sound": np.bool_(index not in self.broken)} if self.broken else {}
        return {"image": self.images[index], "label": np.int32(0), "index": np.int32(index), **sound}

    def describe(self, index: int) -> str:
        return f"noise {index}"


@pytest.fixture(scope="module")
def run():
    params = random_params(TINY)
    params["conv2"]["bias"][3] = -1e6  # a dead map
    return run_of(TINY, params, MEAN, ("a",) * 5)


@pytest.fixture(scope="module")
def maps(run):
    """Of every layer [12, h, w, C], by the network alone."""
    seen = jax.jit(forward, static_argnums=0)(TINY, run.params, middle(Noise().images, MEAN, TINY.image_size))
    return {layer: np.asarray(seen.activations[layer]) for layer in LAYERS}


@pytest.fixture(autouse=True)
def parts_of_four(monkeypatch):
    monkeypatch.setattr(module, "PART_IMAGES", 4)


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def search(run, work, source=None, **options):
    return collect(run, source or Noise(), LAYERS, work=work, **{"batch_size": 4, **options})


@pytest.fixture(scope="module")
def found(run, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PART_IMAGES", 4)
        return search(run, tmp_path_factory.mktemp("found"))


def test_the_strongest_are_those_of_figure_2(run, found):
    expected = strongest_activations(run, Noise(), LAYERS, batch_size=4)
    same({layer: each.top for layer, each in found.items()}, expected)


def test_numbers_by_hand(maps, found):
    for layer, seen in maps.items():
        stats, peaks = found[layer], seen.max(axis=(1, 2))
        np.testing.assert_allclose(stats.peaks, peaks, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(stats.maximum, peaks.max(axis=0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(stats.mean, seen.mean(axis=(0, 1, 2), dtype=np.float64), rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(stats.density, (seen > 0).mean(axis=(0, 1, 2)).astype(np.float32))
        assert stats.images.tolist() == list(range(COUNT))
        for unit in range(seen.shape[3]):
            mine = stats.peaks[:, unit]
            assert stats.p99[unit] == np.float32(np.quantile(mine, [0.99])[0])  # in double precision, as for many
            edges = (min(mine.min(), 0), mine.max())
            assert (stats.low[unit], stats.high[unit]) == edges
            if edges[0] < edges[1]:
                assert stats.counts[unit].tolist() == np.histogram(mine, 16, edges)[0].tolist()
    dead = found["conv2"]
    assert dead.maximum[3] == dead.density[3] == dead.p99[3] == 0 and dead.counts[3].tolist() == [COUNT] + 15 * [0]
    assert (found["fc5"].low < 0).any()


def test_weaker_images_lie_where_they_should_at_their_maximum(maps, found):
    for layer, seen in maps.items():
        stats, width = found[layer], seen.shape[2]
        for unit in range(seen.shape[3]):
            mine = stats.peaks[:, unit]
            half, ninety, most = np.quantile(mine, (0.5, 0.9, 0.99))
            ranges = [(ninety, most), (half, ninety), (-np.inf, half)]
            for row, (low, high) in zip(stats.lower, ranges, strict=True):
                can = np.flatnonzero((mine != 0) & (low <= mine) & (mine < high))
                there = np.isfinite(row.value[unit])
                chosen = row.image[unit][there]
                assert len(set(chosen)) == min(3, len(can)) and set(chosen) <= set(can)
                assert row.value[unit][there].tolist() == sorted(mine[chosen].tolist(), reverse=True)
                assert (row.image[unit][~there] == -1).all()
                for image, place in zip(chosen, zip(row.row[unit], row.col[unit], strict=True), strict=False):
                    assert place == divmod(int(np.argmax(seen[image, ..., unit])), width)
    assert len({tuple(images) for images in found["conv1"].lower[2].image}) > 3  # each unit has its own draw


def test_zero_is_a_response_of_a_unit_that_can_be_negative_and_of_no_other():
    peaks = np.array([[0, -280, -5], [3, 0, 0], [0, 0, 0], [0, 0, -1]], np.float32).T  # [images, units]
    order = np.argsort(-peaks, axis=0, kind="stable")[:2].T
    nowhere = np.zeros_like(order)
    top = Winners(np.take_along_axis(peaks.T, order, axis=1), order, nowhere, nowhere)
    places = np.zeros(peaks.shape, np.uint8)
    layer = LayerPart(top, peaks.sum(axis=0, dtype=np.float64), (peaks > 0).sum(axis=0), peaks, places)
    part = Part(np.array(3), np.arange(3, dtype=np.int32), {"x": layer})
    stats = without_silence(summarise([part], {"x": (1, 1, 4)}, 2, seed=0)["x"])
    there = [row[np.isfinite(row)].tolist() for row in stats.top.value]
    assert there == [[0, -5], [3], [], [0, 0]]  # the last one's -1 is in its lower rows
    assert [bool(np.isfinite(row.value[2]).any()) for row in stats.lower] == [False] * 3
    assert -280 in np.concatenate([row.value[0] for row in stats.lower])
    rows = joined([stats.top, *stats.lower])
    np.testing.assert_array_equal(present(rows), responds(rows))  # what is projected is what is counted


def test_an_interrupted_search_goes_on_and_is_the_same_to_the_bit(run, found, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        search(run, tmp_path, Noise(stop=9))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept and set(kept) < {"part-0.npz", "part-1.npz", "part-2.npz"}
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in kept}
    same(search(run, tmp_path), found)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in kept} == before
    same(search(run, tmp_path, Noise(stop=3)), found)  # reads the first image of each part and no more


def test_damaged_and_foreign_parts_are_measured_again(run, found, tmp_path):
    search(run, tmp_path)
    parts = sorted(tmp_path.iterdir())
    whole = parts[1].read_bytes()
    for damage in (whole[: len(whole) // 2], b"", whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:]):
        parts[1].write_bytes(damage)
        with pytest.warns(UserWarning, match="part-1.npz is damaged .*: its images are measured again"):
            same(search(run, tmp_path), found)
        assert parts[1].read_bytes() == whole
    parts[1].write_bytes(parts[0].read_bytes())
    same(search(run, tmp_path), found)
    assert parts[1].read_bytes() == whole
    for other in ({"data": {"name": "others"}}, {"batch_size": 2}, {"sample": 5}, {"seed": 1, "sample": 6}):
        before = parts[0].read_bytes()
        search(run, tmp_path, **other)
        assert parts[0].read_bytes() != before
    trained = run._replace(params={**run.params, "conv1": {**run.params["conv1"], "bias": np.ones(8, np.float32)}})
    assert (search(trained, tmp_path)["conv1"].peaks != found["conv1"].peaks).any()


def test_a_part_that_was_packed_or_names_no_image_is_not_taken(run, found, tmp_path):
    search(run, tmp_path)
    part = tmp_path / "part-2.npz"
    with np.load(part) as archive:
        arrays = dict(archive)
    np.savez_compressed(part, **arrays)
    with pytest.warns(UserWarning, match="it is compressed"):
        search(run, tmp_path)
    np.savez(part, **{**arrays, "arr_1": arrays["arr_1"] + 100})
    with pytest.warns(UserWarning, match="images that there are not"):
        same(search(run, tmp_path), found)


def test_a_sample_is_a_part_of_a_larger_one_and_all_images_still_count(run, found, tmp_path):
    small, large = (search(run, tmp_path, sample=size)["conv1"] for size in (4, 7))
    assert (len(small.images), len(large.images)) == (4, 7) and set(small.images) < set(large.images)
    np.testing.assert_array_equal(small.peaks, found["conv1"].peaks[small.images])
    same(small.top, found["conv1"].top)
    same((small.mean, small.density), (found["conv1"].mean, found["conv1"].density))
    assert small.counts.sum() == 4 * 8 and small.high.tolist() == found["conv1"].high.tolist()


def test_the_sample_is_bounded(run, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_BYTES", 500)  # (8 + 6 + 5) * (4 + 2, 1, 1) and so on: 105 bytes an image
    assert len(search(run, tmp_path)["fc5"].images) == 500 // (8 * 6 + 6 * 5 + 5 * 5)


def test_some_images_in_any_order_and_stand_ins_do_not_count(run, maps, tmp_path):
    found = search(run, tmp_path, Noise(broken=(4, 7)), indices=[9, 4, 1, 7, 2])["conv1"]
    assert found.images.tolist() == [9, 1, 2] and sorted(found.top.image[0].tolist())[-3:] == [1, 2, 9]
    seen = maps["conv1"][[9, 1, 2]]
    np.testing.assert_allclose(found.mean, seen.mean(axis=(0, 1, 2)), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.density, (seen > 0).mean(axis=(0, 1, 2)).astype(np.float32))
    assert {image for row in found.lower for image in row.image.ravel()} <= {-1, 9, 1, 2}


def test_what_cannot_be_searched_is_one_sentence(run, tmp_path):
    with pytest.raises(InputError, match="no images"):
        search(run, tmp_path, indices=[])
    with pytest.raises(InputError, match="all images that were searched are broken"):
        search(run, tmp_path, Noise(broken=(1, 2)), indices=[1, 2])
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link"):
        search(run, tmp_path / "link")
