"""Results to look at: one page of HTML that needs nothing else, and plots as files."""

from __future__ import annotations

from .comparison_page import write_comparison
from .evaluation_page import write_evaluation, write_plots
from .fewshot_page import fewshot_plot, write_fewshot
from .plots import Curve, Plot, curve_plot, demand_matplotlib

__all__ = [
    "Curve",
    "Plot",
    "curve_plot",
    "demand_matplotlib",
    "fewshot_plot",
    "write_comparison",
    "write_evaluation",
    "write_fewshot",
    "write_plots",
]
