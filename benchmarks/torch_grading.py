"""A grading network of the library's own sizes in PyTorch, for its inference.

pip install '.[benchmarks]'        # PyTorch, of the benchmark only
"""

from collections.abc import Callable, Mapping
from typing import Any

from spine_tf import config

_SLICE_MEAN = 0.3


def make(
    preset: str, classes: Mapping[str, int], precision: str, batch_size: int, channels_last: bool
) -> tuple[Callable[[], None], dict]:
    """Makes one batch of inference over crops in memory.

    Args:
        preset: Size of the network.
        classes: Grading -> number of classes.
        precision: "float32", or "bfloat16" by autocast.
        batch_size: Discs.
        channels_last: Whether the network is in channels_last_3d.

    Returns:
        The call, and facts. See `contender.Contender`.
    """
    import torch

    torch.manual_seed(0)
    model_config = config.preset(preset)
    shape = (9, round(112 * model_config.crop_scale), round(224 * model_config.crop_scale))
    network = build(model_config, classes, shape).eval()
    crop = torch.rand(batch_size, 1, *shape)
    if channels_last:
        crop = crop.to(memory_format=torch.channels_last_3d)
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv3d):
                layer.to(memory_format=torch.channels_last_3d)
    facts = {
        "parameters": sum(value.numel() for value in network.parameters()),
        "threads": torch.get_num_threads(),
    }

    def predict() -> None:
        half = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
        with torch.inference_mode(), half:
            found = network(crop)
        for logits in found.values():
            logits.float().softmax(1).numpy()

    return predict, facts


def build(
    model_config: config.ModelConfig, classes: Mapping[str, int], shape: tuple[int, int, int]
) -> Any:
    """Returns the network.

    From [batch, 1, slices, rows, columns] to grading -> logits [batch, classes]. Source: methods
    1.3, table B.
    """
    import torch
    from torch import nn

    filters, padding = model_config.filters, model_config.conv4_padding

    def trunk() -> tuple[nn.Module, nn.Module]:
        norm, pool = model_config.norm, lambda: nn.MaxPool3d((1, 2, 2))
        slices = nn.Sequential(
            nn.Conv3d(1, filters[0], (3, 7, 7), (1, 2, 2), (1, 0, 0)),
            *(*_after(nn, norm, filters[0], nn.BatchNorm3d, local=True), pool()),
            nn.Conv3d(filters[0], filters[1], (3, 5, 5), (1, 2, 2), (1, 1, 1)),
            *(*_after(nn, norm, filters[1], nn.BatchNorm3d, local=True), pool()),
            nn.Conv3d(filters[1], filters[2], 3, padding=1),
            *_after(nn, norm, filters[2], nn.BatchNorm3d),
            nn.Conv3d(filters[2], filters[3], (shape[0], 3, 3), padding=(0, padding, padding)),
            *_after(nn, norm, filters[3], nn.BatchNorm3d),
        )
        plane = nn.Sequential(
            nn.Conv2d(filters[3], filters[4], 3, padding=1),
            *_after(nn, norm, filters[4], nn.BatchNorm2d),
            *(nn.MaxPool2d(2), nn.Flatten()),
        )
        return slices, plane

    def head(units: int, count: int) -> nn.Module:
        norm, fc6, fc7 = model_config.norm, model_config.fc6, model_config.fc7
        return nn.Sequential(
            *(nn.Linear(units, fc6), *_after(nn, norm, fc6, nn.BatchNorm1d)),
            *(nn.Linear(fc6, fc7), *_after(nn, norm, fc7, nn.BatchNorm1d)),
            nn.Linear(fc7, count),
        )

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.slices, self.plane = trunk()
            with torch.no_grad():
                units = self.eval().conv5(torch.zeros(1, 1, *shape)).shape[1]
            self.heads = nn.ModuleDict({name: head(units, n) for name, n in classes.items()})

        def conv5(self, crop: torch.Tensor) -> torch.Tensor:
            return self.plane(self.slices(crop - _SLICE_MEAN).squeeze(2))

        def forward(self, crop: torch.Tensor) -> dict[str, torch.Tensor]:
            found = self.conv5(crop)
            return {name: head(found) for name, head in self.heads.items()}

    return Network()


def _after(nn: Any, norm: str, channels: int, batch_norm: Any, local: bool = False) -> list:
    """Normalisation and activation after a layer, as `encoder.normalise` has them."""
    if norm == "batch":
        return [batch_norm(channels, eps=1e-3), nn.ReLU()]
    local_norm = nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)
    return [nn.ReLU(), local_norm] if norm == "lrn" and local else [nn.ReLU()]
