"""`make demo`: the whole story on real servers, told by the commands that a reader could type, each checked as it goes.

`narration` prints and checks, `stage` is what the story stands on, `access` measures, and `story` is the story.
"""
