"""The paper's figures, each drawn by a module of its own name.

style.py is how all of them look. figure1.py trains what Figure 1 compares;
halving.py decides in its search for a learning rate, figure1_results.py and
figure1_picture.py say and draw what came out.
"""
