"""Philox on arrays: known answers, and numbers that do not depend on how the counters are cut."""

import numpy as np

from gpugrad.backend.philox import kept, philox, uniform, words


def test_philox_known_answers():
    """Random123's tests of philox4x32-10 (Salmon et al. 2011): all bits zero, all bits one."""
    answers = {0: "6627e8d5 e169c58d bc57ac4c 9b00dbd8", 2**64 - 1: "408f276d 41c83b0e a20bc7c6 6d5451fd"}
    for bits, answer in answers.items():
        words = philox(np.array([bits], np.uint64), bits, bits)
        assert " ".join(f"{w:08x}" for w in words[0]) == answer


def test_words_follow_the_counter():
    count = 4 * 40_003
    counter = np.arange(40_003, dtype=np.uint64)
    drawn = philox(counter, 0, 7)
    assert np.array_equal(words(np, count - 1, 7), drawn.reshape(-1)[:-1])
    assert np.array_equal(philox(counter[::-3], 0, 7), drawn[::-3])
    assert abs(uniform(drawn).mean() - 0.5) < 0.005 and uniform(drawn).max() < 1
    assert not kept(counter, 1.0, 7).any() and kept(counter, 0.0, 7).all()
    assert abs(kept(counter, 0.25, 7).mean() - 0.75) < 0.005
