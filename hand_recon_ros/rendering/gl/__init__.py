"""Off-screen OpenGL: meshes with light, shadow and texture, seen by a ``Camera``.

``Renderer.render(views)`` draws any number of views in one go and reads them back together.
"""
