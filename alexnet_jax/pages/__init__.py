"""One HTML file to look at, of a run or of several: no JavaScript, no network.

`markup` writes HTML and escapes; `run_page` and `comparison_page` choose what
is shown. What they show is measured and drawn by the rooms below.
"""
