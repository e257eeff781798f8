"""The figures, each a task or drawn for one by a module of its own name.

style.py is how all of them look. Of Figure 1, figure1.py trains what it
compares; halving.py decides in its search for a learning rate,
figure1_results.py and figure1_picture.py say and draw what came out. Figure 3
is figure3.py and figure3_picture.py, Figure 4 figure4_left.py (for --task=
predict) and figure4_right.py (for --task=retrieve). Not in the paper:
precision.py and precision_picture.py count what retrieval finds,
codes_picture.py shows binary codes, projections.py and projections_picture.py
what deeper layers see.
"""
