"""An example plug-in of napari-spectrai."""
