"""The tests of other libraries, run on gpugrad: `python -m tests.peers.hips CHECKOUT`, `... .mygrad`, `... .array_api`.

Each takes the path of a checkout of that library (or of the array API's test suite) and further arguments for pytest.
"""
