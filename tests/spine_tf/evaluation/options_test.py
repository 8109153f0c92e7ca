import pytest

from spine_tf.evaluation import options


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split": "all"}, "`split` must be one of train, validation, test, got 'all'"),
        ({"bootstrap": "disc"}, "`bootstrap` must be subject or family, got 'disc'"),
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"num_draws": 0}, "`num_draws` must be at least 1, got 0"),
        ({"tile_size": 16}, "`tile_size` must be 0 or a multiple of 16 from 32 on, got 16"),
        ({"tile_size": 40}, "`tile_size` must be 0 or a multiple of 16 from 32 on, got 40"),
    ],
)
def test_bad_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        options.Options(**values)
