"""Pictures by hand: gains, tones and mosaics; and files that hold what they should."""

import io

import numpy as np
import pytest
from PIL import Image

from zfjax.draw.page import page, save
from zfjax.draw.tiles import OUTSIDE, display_limit, near_square, outside_words, show_patch, tile, to_display
from zfjax.draw.words import words_of
from zfjax.errors import InputError
from zfjax.paper.features.draw import draw_features
from zfjax.paper.first_layers.draw import draw_filters
from zfjax.paper.top_activations import FeatureMap

SOURCE = "Run demo, step 12; 40 validation images."
TITLE = "conv2: strongest of 40 validation images"


def feature_map(index=3, k=9, size=5, channels=3) -> FeatureMap:
    rng = np.random.default_rng(index)
    patches = rng.uniform(0, 255, (k, size, size, channels))
    patches[: k // 2, 0] = np.nan
    return FeatureMap(index, rng.normal(size=(k, size, size, channels)), patches, np.arange(k, 0, -1.0))


def features(path, maps, **options):
    draw_features(maps, path, title=TITLE, caption=SOURCE, **options)
    return path.read_bytes()


def filters(path, kernels, **options):
    draw_filters(kernels, path, title="First layer", caption=SOURCE, **options)
    return path.read_bytes()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_display_by_hand():
    pixels = np.array([-4.0, 0.0, 1.0, 2.0]).reshape(2, 2, 1)
    np.testing.assert_array_equal(to_display(pixels, percentile=100).ravel(), [0, 0.5, 0.625, 0.75])
    # Of the magnitudes 1, 2, 4 the lower 99.5th percentile is 2: the largest is clipped.
    np.testing.assert_array_equal(to_display(pixels).ravel(), [0, 0.5, 0.75, 1])


def test_display_is_symmetric_and_blind_to_positive_scale():
    pixels = np.random.default_rng(0).normal(size=(2, 3, 8, 8, 3))
    shown = to_display(pixels)
    assert shown.shape == pixels.shape and shown.dtype == np.float32 and shown.min() >= 0 and shown.max() <= 1
    np.testing.assert_allclose(to_display(-pixels), 1 - shown, atol=1e-6)
    np.testing.assert_allclose(to_display(1e-30 * pixels), shown, atol=1e-6)
    each = np.array([1e-3, 1e3]).reshape(2, 1, 1, 1, 1)
    np.testing.assert_allclose(to_display(each * pixels), shown, atol=1e-6)


def test_channels_share_one_gain():
    pixels = np.zeros((4, 4, 3))
    pixels[..., 0], pixels[..., 1] = 2, 1
    np.testing.assert_array_equal(to_display(pixels)[0, 0], [1, 0.75, 0.5])


@pytest.mark.parametrize("shape", [(3, 7, 7, 3), (0, 7, 7, 3), (5, 5, 1)])
def test_zeros_are_plain_grey(shape):
    np.testing.assert_array_equal(to_display(np.zeros(shape)), np.full(shape, 0.5))


def test_one_huge_outlier_does_not_hide_the_rest():
    pixels = np.ones((7, 7, 3))
    pixels[3, 3, 1] = 1e6
    assert to_display(pixels).min() == 1.0


def test_zeros_and_rounding_noise_do_not_set_the_gain():
    pixels = np.zeros((50, 50, 1))
    pixels[:2, :2, 0] = [[1, 2], [4, 4]]  # 0.16 % of the window
    assert display_limit(pixels) == 4
    assert display_limit(pixels + np.where(pixels == 0, 1e-9, 0)) == 4


@pytest.mark.parametrize("pixels", [np.full((2, 2, 3), np.nan), np.full((2, 2, 1), np.inf), np.ones((2, 2, 2)), [1.0]])
def test_display_refuses(pixels):
    with pytest.raises(InputError, match="shape"):
        to_display(pixels)


@pytest.mark.parametrize("percentile", [0, -1, 101, float("nan")])
def test_display_refuses_percentiles(percentile):
    with pytest.raises(InputError, match="percentile"):
        to_display(np.ones((2, 2, 1)), percentile=percentile)


def test_pixels_outside_the_image_take_one_tone():
    patch = np.array([[[0, 255, 51], [np.nan, 3, 3]]])
    np.testing.assert_allclose(show_patch(patch), [[[0, 1, 0.2], [OUTSIDE] * 3]], rtol=1e-6)
    assert show_patch(np.full((2, 2, 1), 255, np.uint8)).min() == 1
    assert 0.5 < OUTSIDE < 1  # neither the zero of a projection nor the page


def test_a_projection_outside_the_image_takes_the_tone_of_its_patch():
    pixels, patch = np.array([[[0.0, 0, 0], [0, -1, 1]]]), np.array([[[np.nan] * 3, [9, 9, 9]]])
    np.testing.assert_allclose(to_display(pixels, patches=patch), [[[OUTSIDE] * 3, [0.5, 0, 1]]], rtol=1e-6)
    assert outside_words([patch[:, 1:], patch]) == ", light grey is outside the image"
    assert outside_words([patch[:, 1:]]) == outside_words([]) == ""


@pytest.mark.parametrize("value", [-20.0, 300.0, np.inf])
def test_patches_that_are_no_pixels(value):
    with pytest.raises(InputError, match=r"0\.\.255.*got"):
        show_patch(np.full((2, 2, 3), value))


def test_tile_by_hand():
    pictures = np.arange(1, 4).reshape(3, 1, 1, 1)
    np.testing.assert_array_equal(tile(pictures, 2, 1, 9)[..., 0], [[1, 9, 2], [9, 9, 9], [3, 9, 9]])
    np.testing.assert_array_equal(tile(pictures, 3, gap=0)[..., 0], [[1, 2, 3]])
    assert tile(np.zeros((5, 4, 3, 3)), 2, gap=2).shape == (16, 8, 3)
    with pytest.raises(InputError, match=r"\(0, 1, 1, 1\)"):
        tile(pictures[:0], 2)


def test_columns():
    assert [near_square(n) for n in (1, 2, 5, 9, 10, 12, 16, 64, 96)] == [1, 2, 3, 3, 5, 4, 4, 8, 12]


@pytest.mark.parametrize("size", [7, 27, 139])
def test_every_pixel_is_a_whole_square_of_dots(tmp_path, size):
    mosaic = np.random.default_rng(size).integers(0, 255, (size + 4, 3 * size, 3), dtype=np.uint8)
    figure, axes = page(mosaic, title="t", caption="c")
    save(figure, tmp_path / "a.png")
    dots = np.asarray(opened((tmp_path / "a.png").read_bytes()))
    scale = dots.shape[1] // mosaic.shape[1]
    assert dots.shape[1] == scale * mosaic.shape[1] >= 1400
    top = round((1 - axes.get_position().y1) * len(dots))
    body = dots[top : top + scale * len(mosaic)]
    np.testing.assert_array_equal(body, mosaic.repeat(scale, 0).repeat(scale, 1))


@pytest.mark.parametrize("n, k", [(1, 9), (5, 9), (4, 5), (2, 1)])
def test_features_in_png(tmp_path, n, k):
    content = features(tmp_path / "new" / "fig2.png", [feature_map(i, k) for i in range(n)])
    image = opened(content)
    inches = image.width / image.info["dpi"][0]
    assert inches == pytest.approx(3.5 if n == 1 else 7, rel=0.01) and image.width >= 200 * inches
    colours = {colour for _, colour in image.getcolors(1 << 24)}
    assert (255, 255, 255) in colours and len(colours) > 50
    assert (k == 1) or (round(255 * OUTSIDE),) * 3 in colours


def test_features_name_what_lies_outside_where_something_does(tmp_path):
    edge = feature_map()
    within = edge._replace(patches=np.nan_to_num(edge.patches))
    for maps, words in (((within,), "5×5 px. Labels"), ((within, edge), "5×5 px; light grey is outside the image. L")):
        features(tmp_path / "a.png", maps)
        assert f"receptive field {words}" in words_of(tmp_path / "a.png")[1]


def test_same_input_same_bytes_and_nothing_else_left(tmp_path):
    maps = [feature_map(i) for i in range(3)]
    for suffix in ("png", "pdf", "svg"):
        assert features(tmp_path / f"a.{suffix}", maps) == features(tmp_path / f"b.{suffix}", maps)
    assert len(list(tmp_path.iterdir())) == 6


def test_pdf_and_svg_keep_text(tmp_path):
    maps = [feature_map(i) for i in (17, 208)]
    assert features(tmp_path / "a.PDF", maps).startswith(b"%PDF")
    svg = features(tmp_path / "a.svg", maps).decode()
    for text in (TITLE, "mid-grey is zero", "5×5 px", ">208<", ">9.00–1.00<", "40 validation images."):
        assert text in svg
    assert "image/png;base64" in svg


def test_dollars_are_no_formula_and_long_captions_get_lines(tmp_path):
    def height(caption):
        draw_features([feature_map()], tmp_path / "a.png", title="$x_$", caption=caption)
        return opened((tmp_path / "a.png").read_bytes()).height

    assert height(20 * SOURCE) > height(SOURCE) + 100


@pytest.mark.parametrize("width", [90, 333, 1501, 3800])
def test_captions_end_before_the_edge_at_every_resolution(tmp_path, width):
    figure, axes = page(np.full((9, width, 3), 255, np.uint8), title=9 * TITLE, caption=9 * "WMA fig. 11,1 × ffi ")
    save(figure, tmp_path / "a.png")
    dots = np.asarray(opened((tmp_path / "a.png").read_bytes()))
    written = np.flatnonzero((dots < 128).any((0, 2)))
    assert 0.85 * dots.shape[1] < written.max() < dots.shape[1] - 1


def test_maps_with_fewer_activations_and_grey_networks(tmp_path):
    assert features(tmp_path / "a.png", [feature_map(0, 4), feature_map(1, 2), feature_map(2, 0)])
    assert features(tmp_path / "b.png", [feature_map(0, 4, channels=1)])


@pytest.mark.parametrize(
    "maps, message",
    [
        ([], "no feature maps"),
        ([feature_map(size=5), feature_map(size=6)], "one window size"),
        ([feature_map(k=0)], "some activation"),
        ([feature_map(8)._replace(activations=np.ones(4))], "map 8"),
        ([feature_map()._replace(projections=np.full((9, 5, 5, 3), np.nan))], "NaN"),
    ],
)
def test_features_refuse(tmp_path, maps, message):
    with pytest.raises(InputError, match=message):
        features(tmp_path / "a.png", maps)
    assert not list(tmp_path.iterdir())


def test_failed_writing_leaves_the_old_figure_and_no_draft(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")
    figure, _ = page(np.zeros((4, 4, 3), np.uint8), title="t", caption="c")

    def break_off(draft, **_):
        draft.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figure, "savefig", break_off)
    with pytest.raises(InputError, match=r"a\.png: No space left"):
        save(figure, tmp_path / "a.png")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a.png", b"old")]


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.gif"])
def test_unknown_suffixes(tmp_path, name):
    with pytest.raises(InputError, match=r"\.png, \.pdf, \.svg"):
        features(tmp_path / "new" / name, [feature_map()])
    assert not list(tmp_path.iterdir())


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        features(tmp_path / "runs" / "a.png", [feature_map()])


def darkest_and_lightest(content: bytes) -> tuple[int, int]:
    """Of the second of two filters, in a column of its own at the right half of the figure."""
    picture = np.asarray(opened(content).convert("L"))[150:300, -150:]
    return int(picture.min()), int(picture.max())


def test_one_gain_shows_which_filters_are_weak(tmp_path):
    kernels = np.random.default_rng(0).choice([-1.0, 1.0], (7, 7, 3, 2))
    kernels[..., 1] *= 0.01
    low, high = darkest_and_lightest(filters(tmp_path / "a.png", kernels))
    assert 120 < low <= high < 135
    low, high = darkest_and_lightest(filters(tmp_path / "b.png", kernels, per_filter=True))
    assert low < 80 and high > 180


def test_filter_order_and_captions(tmp_path):
    kernels = np.random.default_rng(0).normal(size=(3, 3, 1, 6)) * np.arange(1, 7)
    by_rms = filters(tmp_path / "a.svg", kernels, order="rms").decode()
    assert "largest to the smallest RMS" in by_rms and "6 filters of conv1" in by_rms and "−" in by_rms
    ordered = kernels[..., np.argsort(-np.square(kernels).mean((0, 1, 2)))]
    name = {"title": "t", "caption": "c"}
    draw_filters(ordered, tmp_path / "b.svg", order="rms", **name)
    draw_filters(kernels, tmp_path / "c.svg", order="rms", **name)
    assert (tmp_path / "b.svg").read_bytes() == (tmp_path / "c.svg").read_bytes()
    assert "by index" in filters(tmp_path / "d.svg", kernels, layer="first").decode()


@pytest.mark.parametrize(
    "kernels, options, message",
    [
        (np.ones((5, 5, 96, 4)), {"layer": "conv2"}, "'conv2' reads 96 channels"),
        (np.ones((5, 5, 3)), {}, "shape"),
        (np.ones((5, 5, 3, 0)), {}, "shape"),
        (np.ones((5, 5, 3, 4)), {"order": "size"}, "'size'"),
    ],
)
def test_filters_refuse(tmp_path, kernels, options, message):
    with pytest.raises(InputError, match=message):
        filters(tmp_path / "a.png", kernels, **options)
    assert not list(tmp_path.iterdir())
