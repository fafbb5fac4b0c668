"""PyTorch: eager, channels last or not, `torch.compile` where it can, float32 or bfloat16 autocast."""

import contextlib
import os

import torch
from torch import nn
from torch.nn.functional import softplus

from benchmarks.peers import BATCH, BATCHES, CHANNELS, EPSILON, FILTERS, LATENTS, SIZES


def generator(side):
    smallest, doublings = SIZES[side]
    width = FILTERS * 2 ** (doublings - 1)
    layers = [
        nn.Linear(LATENTS, width * smallest**2, bias=False),
        nn.Unflatten(1, (width, smallest, smallest)),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
    for _ in range(doublings - 1):
        layers += [
            nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width // 2),
            nn.ReLU(inplace=True),
        ]
        width //= 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, CHANNELS, 4, 2, 1), nn.Tanh())


def discriminator(side):
    smallest, halvings = SIZES[side]
    layers, channels = [], CHANNELS
    for level in range(halvings):
        layers += [nn.Conv2d(channels, FILTERS * 2**level, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        channels = FILTERS * 2**level
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * smallest**2, 1))


def optimizer(config, parameters):
    if config.name == "rmsprop":
        return torch.optim.RMSprop(parameters, config.learning_rate, alpha=0.9, eps=1e-7)
    return torch.optim.Adam(parameters, config.learning_rate, (config.beta_1, config.beta_2), eps=1e-7, fused=True)


def losses(name):
    """(discriminator's of real and fake logits, generator's of fake logits)."""
    if name == "wasserstein":
        return (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean())
    both = lambda real, fake: softplus(-real).mean() + softplus(fake).mean()  # noqa: E731
    if name == "minimax":
        return both, lambda fake: -softplus(fake).mean()
    return both, lambda fake: softplus(-fake).mean()


def penalty_at(variant, d, points):
    """Returns the penalty of the slopes of `d` at given points."""
    points.requires_grad_()
    (slopes,) = torch.autograd.grad(d(points).float().sum(), points, create_graph=True)
    norms = (slopes.float().square().sum(dim=tuple(range(1, slopes.dim()))) + EPSILON).sqrt()
    return variant.penalty.weight * (norms - 1).square().mean()


def build(variant, side, *, channels_last=True, bfloat16=False, compiled=False):
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    g, d = (network(side).to(memory_format=layout) for network in (generator, discriminator))
    images = (torch.rand(BATCHES, BATCH, CHANNELS, side, side) * 2 - 1).unbind()
    images = [batch.contiguous(memory_format=layout) for batch in images]
    return training(variant, g, d, images, LATENTS, bfloat16=bfloat16, compiled=compiled)


def training(variant, g, d, batches, latents, *, bfloat16=False, compiled=False):
    """Returns a function that makes so many steps of two networks on the batches, one after the other."""
    g_optimizer = optimizer(variant.generator_optimizer, g.parameters())
    d_optimizer = optimizer(variant.discriminator_optimizer, d.parameters())
    d_loss, g_loss = losses(variant.loss.name)
    generate, judge = (torch.compile(g), torch.compile(d)) if compiled else (g, d)
    weights = list(d.parameters())

    def precision():
        return torch.autocast("cpu", torch.bfloat16) if bfloat16 else contextlib.nullcontext()

    def penalty(real, fake):
        a = torch.rand(BATCH, *[1] * (real.dim() - 1))
        if variant.penalty.name == "interpolation":
            points = a * real + (1 - a) * fake
        else:
            points = real + a * variant.penalty.noise_scale * real.std() * torch.rand_like(real)
        # Not the compiled one: what `torch.compile` makes cannot be differentiated twice.
        return penalty_at(variant, d, points)

    def update_discriminator(real):
        with precision():
            with torch.no_grad():
                fake = generate(torch.randn(BATCH, latents)).float()
            loss = d_loss(judge(real).float(), judge(fake).float())
            if variant.penalty is not None:
                loss = loss + penalty(real, fake)
        d_optimizer.zero_grad()
        loss.backward(inputs=weights)
        d_optimizer.step()
        if variant.weight_clip is not None:
            with torch.no_grad():
                for weight in weights:
                    weight.clamp_(-variant.weight_clip, variant.weight_clip)

    def update_generator():
        # Nobody asks for the discriminator's gradients here.
        d.requires_grad_(False)
        with precision():
            loss = g_loss(judge(generate(torch.randn(BATCH, latents))).float())
        g_optimizer.zero_grad()
        loss.backward()
        g_optimizer.step()
        d.requires_grad_(True)
        return loss

    def advance(steps):
        for index in range(steps):
            for update in range(variant.discriminator_steps):
                update_discriminator(batches[(index + update) % BATCHES])
            loss = update_generator()
        assert torch.isfinite(loss)

    return advance
