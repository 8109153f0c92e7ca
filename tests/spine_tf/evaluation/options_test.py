import pytest

from spine_tf.evaluation import options


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split": "all"}, "`split` must be one of train, validation, test, got 'all'"),
        ({"bootstrap": "disc"}, "`bootstrap` must be subject or family, got 'disc'"),
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"num_draws": 0}, "`num_draws` must be at least 1, got 0"),
    ],
)
def test_bad_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        options.Options(**values)
