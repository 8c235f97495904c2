"""The samples of the activation functions."""

from typing import Any

import numpy as np


def activation_cases(*kinks: float, extremes: bool = True, **attributes: Any) -> Any:
    """Make cases away from `kinks`, at them (values only) and at extremes, with the defaults and with `attributes`."""

    def make(s: Any) -> list:
        def u(*shape: int) -> np.ndarray:
            x = s.uniform(-8, 8, *shape)
            for kink in kinks:
                x = np.where(abs(x - kink) < 0.1, x + 0.2, x)
            return np.asarray(x)

        plain = [s.case(u(3, 4)), s.case(u()), s.case(u(0, 3)), s.case(u(4, 3).T), s.case(u(2, 8)[:, ::2])]
        given = [s.case(u(3, 4), **attributes)] if attributes else []
        at_kinks = [s.case(np.array(kinks), smooth=False)] if kinks else []
        far = [s.case(np.array([-1000.0, -100.0, 100.0, 1000.0]), smooth=False)] if extremes else []
        return [*plain, *given, *at_kinks, *far, s.case(u(40, 30), smooth=False)]

    return make
