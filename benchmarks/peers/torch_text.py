"""PyTorch on texts: `nn.Conv1d`, or `nn.Conv2d` of one row, which has channels last; eager or `torch.compile`."""

import os

import torch
from torch import nn

from benchmarks.peers import BATCH, BATCHES, torch_images

KERNEL, FACTOR = 5, 0.3


class Block(nn.Module):
    """x + 0.3 f(x), where f is twice a ReLU and a convolution."""

    def __init__(self, width, rows):
        super().__init__()
        # Not in place: x is needed for the sum.
        self.layers = nn.Sequential(
            *(layer for _ in range(2) for layer in (nn.ReLU(), conv(width, width, KERNEL, rows)))
        )

    def forward(self, x):
        return x + FACTOR * self.layers(x)


def conv(inputs, outputs, size, rows):
    """Returns a convolution of `[batch, inputs, length]`, or with `rows` of `[batch, inputs, 1, length]`."""
    if rows:
        return nn.Conv2d(inputs, outputs, (1, size), padding=(0, size // 2))
    return nn.Conv1d(inputs, outputs, size, padding=size // 2)


def generator(networks, length, characters, rows=False):
    width = networks.width
    return nn.Sequential(
        nn.Linear(networks.latent_dim, length * width),
        nn.Unflatten(1, (width, 1, length) if rows else (width, length)),
        *(Block(width, rows) for _ in range(networks.blocks)),
        conv(width, characters, 1, rows),
        nn.Softmax(dim=1),
    )


def discriminator(networks, length, characters, rows=False):
    width = networks.width
    return nn.Sequential(
        conv(characters, width, 1, rows),
        *(Block(width, rows) for _ in range(networks.blocks)),
        nn.Flatten(),
        nn.Linear(width * length, 1),
    )


def build(variant, networks, length, characters, *, channels_last=False, compiled=False, bfloat16=False):
    """Returns the function that makes so many steps on random texts.

    Args:
      variant: The variant.
      networks: The config of the networks.
      length: The characters of a text.
      characters: The size of the alphabet.
      channels_last: Whether texts are images of one row, `[batch, characters, 1, length]`, with channels last.
      compiled: Whether the networks are compiled, but where they are differentiated twice.
      bfloat16: Whether operations are in bfloat16, as `torch.autocast` decides.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    g, d = (network(networks, length, characters, rows=channels_last) for network in (generator, discriminator))
    texts = nn.functional.one_hot(torch.randint(characters, (BATCHES, BATCH, length)), characters).float()
    texts = texts.transpose(2, 3).contiguous()  # [batches, batch, characters, length]
    if channels_last:
        g, d = (network.to(memory_format=torch.channels_last) for network in (g, d))
        batches = [batch.unsqueeze(2).contiguous(memory_format=torch.channels_last) for batch in texts]
    else:
        batches = list(texts)
    return torch_images.training(variant, g, d, batches, networks.latent_dim, bfloat16=bfloat16, compiled=compiled)
