import pytest

from gpugrad.viz import figures


@pytest.fixture(autouse=True)
def plain_pictures(monkeypatch):
    """Pictures without a layout engine, and small: it takes longer than many a quick training."""
    monkeypatch.setattr(figures, "LAYOUT", None)
    monkeypatch.setattr(figures, "DPI", 40)
