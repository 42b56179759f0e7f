"""``python -m napari_spectrai`` is the command line."""

from napari_spectrai.cli import main

main()
