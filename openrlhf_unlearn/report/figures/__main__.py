from openrlhf_unlearn.report.figures import all_figures

for figure in all_figures():
    print(f"{figure.name:<28}{('Figure ' + figure.paper) if figure.paper else '':<20}{figure.needs}")
