"""Drawn faces: a small data set that needs no download.

``face`` and ``look`` draw the numbers of a face by lot, ``anatomy`` says where its parts and its 15 points lie, ``pen``
puts shapes on a canvas, ``features``, ``outfit`` and ``hair`` paint what is on the face and around it, ``photo`` turns
numbers into a grey picture, and ``collection`` makes a training and a test set of them, with the flaws of the real one.
"""
