"""U-Net against a bottleneck and a fully convolutional net."""

from recipes.runs import quick_run

from gpugrad.recipes import find


def test_unet(tmp_path):
    run = quick_run("unet", tmp_path)
    assert run.losses_fall and len(run.losses) == 3
    figures = run.figures
    assert all(0 <= figures[f"{name} mean IoU"] <= 1 for name in ("U-Net", "bottleneck", "fully convolutional"))
    difference = figures["U-Net mean IoU"] - figures["bottleneck mean IoU"]
    assert abs(figures["U-Net better than the bottleneck"] - difference) < 1e-9


def test_the_networks_are_of_one_width():
    model = find("unet")().build()
    first = [next(iter(net.parameters())).shape[0] for net in model.values()]
    assert len(set(first)) == 1
