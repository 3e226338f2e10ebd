"""The classical models of a table: boosted trees and the linear model."""

from assay.baselines.boosted_table import LightGbmTable
from assay.baselines.linear_table import LinearTable

__all__ = ["LightGbmTable", "LinearTable"]
