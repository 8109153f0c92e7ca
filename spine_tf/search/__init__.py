"""Hyperparameter search: space, objective, oracle and tuner, trial, results."""
