"""Results of real models, the viewers of some of them, and a browser to look at them."""

import pytest
from browser import View, page_of

from labkit.segmentation import Segmentation
from labkit.viewer.viewer import page_part


def result_of(variant: int, photo: str, **settings):
    """A fixture: a variant's result of one of the kit's photos."""
    return pytest.fixture(scope="session")(
        lambda load, default_photos: load(variant).segment(default_photos[photo], **settings)
    )


def page_with(*results: str):
    """A fixture: the viewer of the results of these fixtures."""
    return pytest.fixture(scope="session")(lambda request: page_part([request.getfixturevalue(n) for n in results]))


horses = result_of(2, "horses")  # horse and cow
cat = result_of(1, "cat_chelsea")  # of which it is very sure
person = result_of(1, "astronaut")
herd = result_of(6, "horses", score_threshold=0.3)  # some lie over others
two_cats = result_of(6, "cat_yarn")  # one nearly hidden below the other
semantic, instances = page_with("horses", "cat", "person"), page_with("herd", "two_cats")
compared = page_with("horses", "herd", "cat")  # two models on one photo, and a photo that only one has seen
asked = page_with("answers")


@pytest.fixture(scope="session")
def answers(load, default_photos) -> Segmentation:
    """SAM's three answers to one point."""
    load(4).set_photo(default_photos["cat_chelsea"])
    return load(4).prompt(points=[(220, 150)])


@pytest.fixture
def view(open_page):
    """Opens a piece of HTML as a page and answers its viewer."""
    return lambda part, **options: View(open_page(page_of(part), **options))
