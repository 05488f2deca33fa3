"""Closed and open surfaces as signed distances: the shapes of membranes, without a place or a kind."""
