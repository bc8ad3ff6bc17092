"""Results to look at: one page of HTML that needs nothing else, and plots as files."""

from __future__ import annotations

from .plots import Curve, Plot, curve_plot, demand_matplotlib

__all__ = ["Curve", "Plot", "curve_plot", "demand_matplotlib"]
