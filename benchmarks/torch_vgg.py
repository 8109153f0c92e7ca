"""The preset `paper` in PyTorch: the same Siamese step over a batch in memory.

pip install '.[benchmarks]'        # PyTorch, of the benchmark only
"""

from collections.abc import Callable
from typing import Any


def make(
    precision: str, batch_size: int, channels_last: bool, compiled: bool = False
) -> tuple[Callable[[], None], dict]:
    """Makes a step of both losses, SGD with momentum and weight decay.

    Args:
        precision: "float32", or "bfloat16" by autocast.
        batch_size: Crops.
        channels_last: Whether the network is in channels_last_3d.
        compiled: Whether torch.compile is used.

    Returns:
        The step, and facts. See `contender.Contender`.
    """
    import torch

    torch.manual_seed(0)
    network = build()
    crop = torch.rand(batch_size, 1, 9, 224, 224)
    if channels_last:
        crop = crop.to(memory_format=torch.channels_last_3d)
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv3d):
                layer.to(memory_format=torch.channels_last_3d)
            elif isinstance(layer, torch.nn.Conv2d):
                layer.to(memory_format=torch.channels_last)
    subject = torch.arange(batch_size) // 2
    is_same = (subject[:, None] == subject).float()
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9, weight_decay=5e-4)
    forward = torch.compile(network) if compiled else network
    facts = {
        "parameters": sum(value.numel() for value in network.parameters()),
        "batch_size": batch_size,
        "threads": torch.get_num_threads(),
    }

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            embedding, logits = forward(crop)
        loss = siamese_loss(embedding.float(), logits.float(), is_same, subject % 7)
        loss.backward()
        optimizer.step()
        loss.item()

    return step, facts


def build() -> Any:
    """Returns the network.

    From [batch, 1, 9, 224, 224] to the embedding [batch, 1024] and logits [batch, 7]. Source:
    methods 1.3, table A.
    """
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            norm = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 1.0}
            self.slices = nn.Sequential(
                nn.Conv3d(1, 96, (3, 7, 7), (1, 2, 2), (1, 0, 0)),
                nn.ReLU(),
                nn.LocalResponseNorm(**norm),
                nn.MaxPool3d((1, 2, 2)),
                nn.Conv3d(96, 256, (3, 5, 5), (1, 2, 2), (1, 1, 1)),
                nn.ReLU(),
                nn.LocalResponseNorm(**norm),
                nn.MaxPool3d((1, 2, 2)),
                nn.Conv3d(256, 512, 3, padding=1),
                nn.ReLU(),
                nn.Conv3d(512, 512, (9, 3, 3)),
                nn.ReLU(),
            )
            self.plane = nn.Sequential(
                nn.Conv2d(512, 512, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
            )
            self.embed = nn.Sequential(
                nn.Linear(512 * 5 * 5, 4096),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(4096, 1024),
                nn.ReLU(),
            )
            self.level = nn.Sequential(nn.Dropout(), nn.Linear(1024, 7))

        def forward(self, crop: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            found = self.embed(self.plane(self.slices(crop - 0.3).squeeze(2)))
            return found, self.level(found)

    return Network()


def siamese_loss(embedding: Any, logits: Any, is_same: Any, level: Any) -> Any:
    """Returns the contrastive loss at margin 1, mean over all pairs, plus the level loss."""
    import torch

    square = (embedding[:, None] - embedding[None]).square().sum(-1)
    distance = square.clamp_min(1e-12).sqrt()
    apart = torch.relu(1.0 - distance).square()
    contrastive = (is_same * distance.square() + (1 - is_same) * apart).mean()
    return contrastive + torch.nn.functional.cross_entropy(logits, level)
