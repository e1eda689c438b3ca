"""Pictures: the routes, their limits, and the crops at the receptive field."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import dash
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from analysis.errors import ParameterError
from analysis.extraction.reader import Extraction
from analysis.results import Answer, key_of
from dashboard.app import create_app
from dashboard.pictures import addresses, draw, patches, routes
from dashboard.settings import Settings
from tests.extraction.fabricate import PLANTED, fabricate, layer

X = key_of(what="pictures")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> dash.Dash:
    made = create_app(Settings(roots=(), workspace=tmp_path_factory.mktemp("workspace")))
    settings = made.server.extensions["cutaway"].settings
    fabricate(settings.extractions_dir / X, n=120)
    fabricate(settings.extractions_dir / key_of(what="series"), [layer("conv", "conv", 12, (46,))], n=40, kind="series")
    fabricate(settings.extractions_dir / key_of(what="table"), [layer("fc", "linear", 12)], n=40, kind="table")
    fabricate(settings.extractions_dir / key_of(what="partial"), n=120, only=[0])
    return made


@pytest.fixture
def client(app: dash.Dash) -> FlaskClient:
    return app.server.test_client()


@pytest.fixture
def context(app: dash.Dash) -> Iterator[None]:
    with app.server.test_request_context("/"):
        yield


def put(app: dash.Dash, name: str, value: dict[str, Any], **arrays: np.ndarray) -> Answer:
    return app.server.extensions["cutaway"].answers.put(key_of(name=name), value, arrays)


def fields_of(app: dash.Dash) -> Answer:
    """conv1: 5 x 5 fields at stride 1; conv2: 14 x 14 at stride 2."""
    arrays = {}
    for key, size, field, stride in (("conv1", 24, 5, 1), ("conv2", 8, 14, 2)):
        start = np.arange(size) * stride
        for axis in (0, 1):
            arrays[f"{key}/{axis}"] = np.stack([start, start + field], 1).astype("i4")
    return put(app, "fields", {"axes": [2, 3], "whole": ["fc1"]}, **arrays)


def picture(client: FlaskClient, address: str, **query: object) -> np.ndarray:
    """The pixels that a link leads to."""
    answer = client.get(f"{address}?{urlencode(query)}" if query else address)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.data)))


def extraction(app: dash.Dash, key: str = X) -> Extraction:
    return Extraction(app.server.extensions["cutaway"].settings.extractions_dir / key)


def test_an_instance_is_enlarged_by_a_whole_factor(app: dash.Dash, client: FlaskClient) -> None:
    index = int(extraction(app).indices[3])
    shown = picture(client, "/picture/instance", x=X, index=index)
    assert shown.shape == (224, 224)
    np.testing.assert_array_equal(shown[::8, ::8], extraction(app).display(index)[:, :, 0])


def test_pictures_may_be_kept_for_good_but_not_those_of_a_partial_sample(client: FlaskClient) -> None:
    for key, lasting in ((X, True), (key_of(what="partial"), False)):
        answer = client.get("/picture/patches?" + urlencode({"x": key, "layer": "conv1", "filter": 5, "k": 4}))
        assert ("immutable" in answer.headers["Cache-Control"]) is lasting
        assert lasting or answer.headers["Cache-Control"] == "no-store"


def test_top_patches_are_cut_from_the_original_at_the_receptive_field(app: dash.Dash, client: FlaskClient) -> None:
    found, fields = extraction(app), fields_of(app)
    listed = patches.top_patches(found, fields, "conv1", 5, 12)
    values = found.maximum("conv1")[:, 5]
    assert [patch.value for patch in listed] == sorted(values.tolist(), reverse=True)[:12]
    address = client.get(
        "/picture/patches.json?" + urlencode({"x": X, "r": fields.key, "layer": "conv1", "filter": 5, "k": 12})
    )
    said = address.get_json()
    assert said["tiles"] == {"columns": 10, "width": 5, "height": 5}
    shown = picture(client, "/picture/patches", x=X, r=fields.key, layer="conv1", filter=5, k=12)
    for at, (patch, item) in enumerate(zip(listed, said["patches"], strict=True)):
        row = found.row_of(patch.instance)
        y, x = np.unravel_index(found.where("conv1")[row, 5], (24, 24))
        assert item["box"] == [[y, y + 5], [x, x + 5]]
        whole = found.display(patch.instance)[:, :, 0]
        top, left = at // 10 * 5, at % 10 * 5
        tile = shown[top : top + 5, left : left + 5]
        np.testing.assert_array_equal(tile[..., 0], whole[y : y + 5, x : x + 5])
        assert (tile[..., 3] == 255).all()


def test_a_layer_that_sees_everything_shows_whole_instances(app: dash.Dash) -> None:
    found, fields = extraction(app), fields_of(app)
    assert {patch.box for patch in patches.top_patches(found, fields, "fc1", 5, 3)} == {()}
    assert patches.tiles(found, patches.top_patches(found, fields, "fc1", 5, 3))[0].shape == (28, 28, 1)
    assert patches.top_patches(found, None, "conv1", PLANTED["dead"], 3) == []


def test_no_patches_is_an_empty_picture(client: FlaskClient) -> None:
    assert picture(client, "/picture/patches", x=X, layer="conv1", filter=PLANTED["dead"]).shape[:2] == (1, 1)


def test_patches_of_a_series_are_drawn_as_waves(client: FlaskClient) -> None:
    key = key_of(what="series")
    shown = picture(client, "/picture/patches", x=key, layer="conv", filter=5, k=3)
    assert shown.shape == (48, 3 * 96, 4)
    assert 0 < (shown[..., 3] > 0).mean() < 0.5


def test_the_grid_of_chosen_patches(app: dash.Dash, client: FlaskClient, context: None) -> None:  # noqa: ARG001
    found, fields = extraction(app), fields_of(app)
    positions = np.array([[0, 0], [3, 7], [23, 23]], "i4")
    answer = put(app, "patches", {}, instance=found.indices[:3], position=positions)
    address = addresses.patch_grid(X, "conv1", answer.key, [2, 1], fields=fields.key)
    shown = picture(client, address)
    assert shown.shape == (5, 10, 4)
    np.testing.assert_array_equal(shown[:, :5, 0], found.display(int(found.indices[2]))[23:28, 23:28, 0])
    np.testing.assert_array_equal(shown[:, 5:, 0], found.display(int(found.indices[1]))[3:8, 7:12, 0])


def test_maps_are_grey_with_zero_for_what_is_not_finite(app: dash.Dash, client: FlaskClient) -> None:
    values = np.zeros((5, 4, 6), "f4")
    values[1, 2, 3], values[2, 0, 0], values[3, 1, 1] = 8.0, 4.0, np.nan
    answer = put(app, "maps", {}, maps=values)
    sheet = draw.Sheet.of(5, 6, 4)
    common = picture(client, "/picture/maps", a=answer.key)
    own = picture(client, "/picture/maps", a=answer.key, scale="filter")
    assert common.shape == own.shape == (sheet.rows * 4, sheet.columns * 6)

    def tile(image: np.ndarray, index: int) -> np.ndarray:
        top, left = index // sheet.columns * 4, index % sheet.columns * 6
        return image[top : top + 4, left : left + 6]

    assert tile(common, 1)[2, 3] == 255
    assert tile(common, 2)[0, 0] == 1 + 127
    assert tile(own, 2)[0, 0] == 255
    assert tile(common, 3)[1, 1] == 0
    assert (tile(common, 0) == 1).all()
    assert (tile(own, 0) == 1).all()


def test_maps_with_negative_values_have_zero_in_the_middle() -> None:
    values = np.array([[[-1.0, 0.0, 3.0]]], "f4")
    low, high = draw.ends(values, "common")
    assert (low[0], high[0]) == (-3, 3)
    assert draw.greys(values, low=low[:, None, None], high=high[:, None, None])[0, 0].tolist() == [86, 128, 255]


def test_four_thousand_filters_and_large_maps_stay_within_the_limit(app: dash.Dash, client: FlaskClient) -> None:
    many = put(app, "many", {}, maps=np.random.default_rng(0).random((4096, 7, 7), "f4"))
    assert picture(client, "/picture/maps", a=many.key).shape == (64 * 7, 64 * 7)
    large = routes.map_tiles(np.zeros((1000, 112, 112), "f4"))
    assert large.shape[0] * large.shape[1] * large.shape[2] <= draw.MOST_PIXELS
    peak = np.zeros((1, 300, 300), "f4")
    peak[0, 251, 17] = 1
    assert routes.map_tiles(peak).max() == 1
    with pytest.raises(ParameterError):
        draw.check_size(3000, 3000)


def test_weights_as_pictures(app: dash.Dash, client: FlaskClient) -> None:
    grey = put(app, "grey", {}, weights=np.array([[[[-1.0, 0.0, 1.0]]]], "f4"))
    for scheme, paper in draw.PAPER.items():
        shown = picture(client, "/picture/weights", a=grey.key, scheme=scheme)
        assert shown[0, :, :3].tolist() == [list(draw.LOWERS), list(paper), list(draw.RAISES)]
    colour = put(app, "colour", {}, weights=np.stack([np.eye(3)[None].repeat(3, 0)]).astype("f4"))
    assert picture(client, "/picture/weights", a=colour.key).shape == (3, 3, 4)
    deep = put(app, "deep", {}, weights=np.zeros((2, 16, 3, 3), "f4"))
    assert client.get("/picture/weights", query_string={"a": deep.key}).status_code == 404


@pytest.mark.parametrize("kind", ["series", "table"])
def test_what_has_no_picture_says_so(client: FlaskClient, kind: str) -> None:
    answer = client.get("/picture/instance", query_string={"x": key_of(what=kind), "index": 1})
    assert answer.status_code == 404
    assert kind in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("instance", 400),
        ("instance?x=../../secret&index=1", 404),
        (f"instance?x={'0' * 40}&index=1", 404),
        (f"instance?x={X.upper()}&index=1", 404),
        (f"instance?x={X}%00&index=1", 404),
        (f"instance?x={X}&index=-1", 400),
        (f"instance?x={X}&index=1e3", 400),
        (f"instance?x={X}&index={10**40}", 400),
        (f"instance?x={X}&index=99999", 404),
        (f"instance?maps={X}", 404),
        (f"patches?x={X}&layer=nowhere&filter=1", 404),
        (f"patches?x={X}&layer=..%2Fmanifest&filter=1", 404),
        (f"patches?x={X}&layer=conv1&filter=20", 404),
        (f"patches?x={X}&layer=conv1&filter=a", 400),
        (f"patches?x={X}&layer=conv1&filter=1&k=1000000", 400),
        (f"patches?x={X}&layer=conv1&filter=1&r=zz", 404),
        (f"patchgrid?x={X}&layer=conv1&p={'1' * 40}&rows=1", 404),
        ("maps", 400),
        ("maps?a=%2e%2e%2fx", 404),
        ("weights?a=" + "f" * 40, 404),
    ],
)
def test_wrong_parameters_are_refused_in_a_few_words(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(f"/picture/{path}")
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.text) < 400


def test_rows_and_scales_are_checked(app: dash.Dash, client: FlaskClient) -> None:
    found = extraction(app)
    answer = put(app, "patches", {}, instance=found.indices[:3], position=np.zeros((3, 2), "i4"))
    for rows, status in (("3", 404), ("1,2;3", 400), (",".join("1" * 61), 400), ("-1", 400), ("1,2", 200)):
        query = {"x": X, "layer": "conv1", "p": answer.key, "rows": rows}
        assert client.get("/picture/patchgrid", query_string=query).status_code == status, rows
    maps = put(app, "flat", {}, maps=np.zeros((3, 4), "f4"))
    assert client.get("/picture/maps", query_string={"a": maps.key}).status_code == 404
    assert client.get("/picture/maps", query_string={"a": maps.key, "scale": "log"}).status_code in (400, 404)


def test_crops_stay_inside_their_instance() -> None:
    image = np.arange(16, dtype="u1").reshape(4, 4, 1)
    assert patches.crop("image", image, ((2, 9), (-1, 2))).shape == (2, 2, 1)
    assert patches.crop("image", image, ((9, 12), (0, 2))).shape == (1, 2, 1)
    assert patches.crop("image", image, ()).shape == (4, 4, 1)
    assert patches.crop("series", np.zeros((3, 50)), ((10, 20),)).shape == (3, 10)


def test_large_pictures_are_averaged_down() -> None:
    image = np.zeros((400, 200, 3), "u1")
    image[:, 100:] = 255
    small = draw.shrunk(image, 100)
    assert small.shape == (100, 50, 3)
    assert small[50, 10, 0] == 0
    assert small[50, 40, 0] == 255
    assert draw.shrunk(np.zeros((400, 400, 1), "u1"), 100).shape == (100, 100, 1)


def test_a_path_prefix_is_part_of_the_links(tmp_path: Path) -> None:
    app = create_app(Settings(roots=(), workspace=tmp_path, path_prefix="/tool/"))
    with app.server.test_request_context("/tool/"):
        assert addresses.maps("a" * 40).startswith("/tool/picture/maps?a=")
