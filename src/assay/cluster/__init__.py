"""Work on a Ray cluster, or on a Ray of one's own; Ray itself is imported where it is used.

    connection   finding or starting it; which machines answer, and with which versions
    training     one network by several processes, through Ray Train
    mapping      classical models and side trainings, a task each
    trials       a search's trials, a task each
    address      what a run is about, as plain values that a task on another machine can open
    copies       run folders on other file systems

Sources: P. Moritz et al., "Ray: a distributed framework for emerging AI applications", OSDI 2018;
https://docs.ray.io/en/latest/train/train.html
"""
