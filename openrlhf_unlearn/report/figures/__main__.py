from openrlhf_unlearn.report.figures import FIGURES

for figure in FIGURES:
    print(f"{figure.name:<28}{('Figure ' + figure.paper) if figure.paper else '':<20}{figure.needs}")
