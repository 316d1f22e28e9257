"""The hand model, its priors and the fit."""
