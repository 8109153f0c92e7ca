"""The picture of the comparison, from made-up results."""

from matplotlib import colors

from benchmarks import comparison_picture, comparison_scores


def _found(value, **others):
    return {"value": value, "low": value - 0.1, "high": value + 0.1} | others


def _row(amount, start, value, *, folds=(0, 1), by_seed=(), mark=""):
    return {
        "amount": amount,
        "start": start,
        "folds": list(folds),
        "seeds": list(range(len(by_seed) or 1)),
        "mark": mark,
        "measures": {"dice": _found(value)},
        "by_seed": {"dice": list(by_seed) or [value]},
    }


def _contrast(amount, start, value, *, base="RD", folds=(0, 1), by_seed=(), mark=""):
    facts = {"amount": amount, "start": start, "base": base, "folds": list(folds), "mark": mark}
    return _found(value, by_seed=list(by_seed) or [value], **facts)


ROWS = [
    _row("percent100", "RD", 0.9),
    _row("percent50", "CR", 0.8, by_seed=(0.7, 0.9)),
    _row("percent50", "RD", 0.6, by_seed=(0.5, 0.7)),
    _row("percent50", "AE", 0.95, folds=(0,), mark="pretext not learned, 1 of 1"),
    _row("subjects2", "RD", 0.3),
]
CONTRASTS = [
    _contrast("percent50", "CR", 0.2, by_seed=(0.15, 0.25)),
    _contrast("percent50", "AE", 0.05, folds=(0,), mark="pretext not learned, 1 of 1"),
    _contrast("percent50", "CR", 0.7, base=comparison_scores.RIDGE),
]


def _draw(rows=ROWS, contrasts=CONTRASTS, task="segmentation", about=""):
    content = {"task": task, "about": about, "rows": rows, "contrasts": contrasts}
    return comparison_picture.draw(content)


def _points(axes):
    """Place and height of every circle, from left to right."""
    found = [line for line in axes.lines if line.get_marker() == "o"]
    return sorted((line.get_xdata()[0], round(line.get_ydata()[0], 6)) for line in found)


def _texts(axes):
    """From left to right."""
    return [text.get_text() for text in sorted(axes.texts, key=lambda text: text.xy[0])]


def test_amounts_and_starts_stand_in_order_about_their_ticks():
    above, below = _draw().axes
    # From few subjects to many; RD before CR, and between them the place of AE, of one fold alone.
    assert _points(above) == [(0, 0.3), (2, 0.6), (4, 0.8), (6, 0.9)]
    assert [text.get_text() for text in below.get_xticklabels()] == ["2", "50 %", "100 %"]
    assert below.get_xticks().tolist() == [0, 3, 6]
    assert _texts(above) == ["RD", "RD", "CR", "RD"]


def test_differences_are_those_to_random_weights_and_of_some_folds_too():
    _, below = _draw().axes
    assert _points(below) == [(3, 0.05), (4, 0.2)]
    assert _texts(below) == ["AE*", "CR"]


def test_a_gain_over_augmentation_stands_black_beside_that_over_random_weights():
    starts = ("RD", "RD+AG", "CR", "CR+AG")
    rows = [_row("percent50", start, 0.5) for start in starts]
    gains = [
        _contrast("percent50", "CR+AG", 0.3),
        _contrast("percent50", "CR+AG", 0.1, base="RD+AG"),
        _contrast("percent50", "CR", 0.2),
    ]
    drawn = _draw(rows, gains)
    _, below = drawn.axes
    black = [line for line in below.lines if line.get_color() == "#111111"]
    assert [list(line.get_ydata()) for line in black] == [[0.0, 0.2], [0.1]]
    assert all(3 < line.get_xdata()[0] < 4 for line in black)  # CR+AG is at 3
    assert _texts(below) == ["CR", "CR+AG"]
    assert "black: the start to its left minus RD+AG" in drawn.texts[-1].get_text()
    assert "black" not in _draw(rows, gains[::2]).texts[-1].get_text()


def test_the_base_that_is_most_like_a_start_stands_beside_it():
    pairs = [("CR", "RD"), ("CR+AG", "RD"), ("CR+AG", "RD+AG"), ("RD+AG+LT", "RD")]
    pairs += [("RD+AG+LT", "RD+AG"), ("CR+AG", "RD+AG+LT"), ("CR", "RD+LT"), ("RD+LT", "RD")]
    gains = [_contrast("percent50", start, 0.1, base=base) for start, base in pairs]
    assert comparison_picture._most_alike(gains) == {
        ("percent50", "CR"): "RD+LT",
        ("percent50", "CR+AG"): "RD+AG+LT",
        ("percent50", "RD+AG+LT"): "RD+AG",
        ("percent50", "RD+LT"): "RD",
    }
    starts = ("RD", "RD+LT", "RD+AG", "RD+AG+LT", "CR", "CR+AG")
    drawn = _draw([_row("percent50", start, 0.5) for start in starts], gains)
    assert len({line.get_xdata()[0] for line in drawn.axes[1].lines}) == 4 + 3 + 1  # and the zero
    key = drawn.texts[-1].get_text().replace("\n", " ")
    assert "black: the start to its left minus RD+AG or RD+AG+LT or RD+LT" in key
    assert "+LT longer training" in key
    assert "RD\n+LT" in _texts(drawn.axes[0])


def test_the_title_says_what_the_data_are():
    title = _draw(about="phantoms").texts[0].get_text()
    assert title == "segmentation of phantoms, by labelled subjects and start"
    assert _draw().texts[0].get_text() == "segmentation, by labelled subjects and start"


def test_seeds_are_ticks():
    for axes, expected in zip(
        _draw().axes, ([[0.5, 0.7], [0.7, 0.9]], [[0.15, 0.25]]), strict=True
    ):
        ticks = [line for line in axes.lines if line.get_marker() == "_"]
        assert sorted(list(line.get_ydata()) for line in ticks) == expected


def test_a_name_stands_above_the_interval_and_the_ticks():
    contrasts = [_contrast("percent50", "CR", 0.2, by_seed=(0.0, 0.4)), CONTRASTS[1]]
    _, below = _draw(contrasts=contrasts).axes
    heights = {text.get_text(): text.xy[1] for text in below.texts}
    assert heights["CR"] == 0.4 and heights["AE*"] == CONTRASTS[1]["high"]


def test_a_start_has_one_colour_whatever_else_is_there():
    def color(figure, start):
        (found,) = {text.get_color() for text in figure.axes[0].texts if text.get_text() == start}
        return colors.to_hex(found)

    alone = _draw([ROWS[1]], [])
    assert color(alone, "CR") == color(_draw(), "CR") != color(_draw(), "RD")


def test_augmented_and_frozen_starts_have_the_colour_of_the_start_and_signs_of_their_own():
    starts = ("CR-frozen", "RD-frozen", "CR+AG", "CR", "RD+AG")
    made = _draw([_row("percent50", start, 0.5) for start in starts], [])
    above, _ = made.axes
    assert _texts(above) == ["RD+AG", "RD-\nfrozen", "CR", "CR+AG", "CR-\nfrozen"]
    signs = {
        line.get_xdata()[0]: (line.get_marker(), colors.to_hex(line.get_color()))
        for line in above.lines
        if line.get_marker() in ("o", "s", "v")
    }
    random, restored = "#7f7f7f", "#d1495b"
    assert [signs[place] for place in range(5)] == [
        *(("s", random), ("v", random), ("o", restored), ("s", restored), ("v", restored))
    ]
    key = " ".join(made.get_supxlabel().split())
    assert "+AG augmented images (squares), -frozen the encoder as it is (triangles)" in key


def test_what_was_not_learned_is_an_open_circle():
    _, below = _draw().axes
    inside = {
        line.get_xdata()[0]: line.get_markerfacecolor()
        for line in below.lines
        if line.get_marker() == "o"
    }
    assert inside[3] == "white" != inside[4]


def test_the_key_says_what_there_is_and_no_more():
    key = _draw().get_supxlabel()
    assert "single seeds" in key and "not learned" in key and "not on all 2 folds" in key
    assert "CR context restoration" in " ".join(key.split()) and "jigsaw" not in key
    plain = _draw([ROWS[0]], []).get_supxlabel().split()
    assert plain == "lines: 95 % bootstrap intervals over subjects RD random weights".split()


def test_title_and_key_are_inside_the_picture():
    rows = [
        _row("percent50", start, 0.5) for start in ("RD", "RD+AG", "AE", "RP", "JS", "CP", "CR")
    ]
    for figure in (_draw(rows, []), _draw([ROWS[0]], [])):
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in figure.texts]
        assert len(boxes) == 2 and figure.bbox.x0 <= min(box.x0 for box in boxes)
        assert max(box.x1 for box in boxes) <= figure.bbox.x1


def test_of_millimetres_less_is_better():
    row = _row("percent100", "RD", 20.0)
    row |= {"measures": {"centroid_mm": _found(20.0)}, "by_seed": {"centroid_mm": [20.0]}}
    above, _ = _draw([row], [], "localisation").axes
    assert above.get_ylabel() == "centroid, mm (less is better)"


def test_a_row_without_a_value_is_left_out():
    row = _row("percent50", "CR", 0.5) | {
        "measures": {"dice": dict.fromkeys(("value", "low", "high"))}
    }
    above, _ = _draw([ROWS[0], row], []).axes
    assert _texts(above) == ["RD"]
