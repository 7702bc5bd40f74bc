"""What can go wrong with the image."""


class ImageError(Exception):
    """The image could not be built; the message says why, and what to do."""
