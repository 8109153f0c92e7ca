"""Keeps exported models that tests of scoring load over and over."""

import functools

from export import saved_model

load = functools.lru_cache(maxsize=2)(saved_model.load)


def use(monkeypatch) -> None:
    """Lets every run in this process share its models."""
    monkeypatch.setattr(saved_model, "load", load)
