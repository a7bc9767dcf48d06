"""TPU slices, their hosts and their prices: tables with the source of each number."""
