"""The pipelines that are compared: each module runs in an environment of its own, with the requirements beside it.

They import nothing of the runtime or the toolchain but the small torch networks of the emotion.
"""
