"""What reaches a user: the archives that are built, an empty environment, and the oldest dependencies.

python -m tests.shipping            # all of it
python -m tests.shipping archives   # wheel and sdist: their contents, and the version in all places
python -m tests.shipping wheel      # the wheel in an empty environment, far from this checkout
python -m tests.shipping oldest     # the oldest versions that pyproject.toml allows: the ops' checks, some tests
"""
