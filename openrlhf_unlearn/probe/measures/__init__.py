"""From gradients to numbers: cosines, without their noise; groups, outliers, neighbours, spectrum."""
