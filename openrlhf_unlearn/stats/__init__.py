"""Every interval, area and agreement that is shown: each defined once, tested by simulation in tests/stats.

Plain functions of arrays; numpy and scipy only, so that reading a run needs nothing heavier.
"""
