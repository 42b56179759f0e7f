"""The window: docks over `runs`, `experiment` and `io`. The only importers of napari, Qt, magicgui and pyqtgraph."""
