"""WGAN-GP (Gulrajani et al., "Improved Training of Wasserstein GANs", arXiv 1704.00028).

Algorithm 1: a critic that estimates the Wasserstein-1 distance, kept 1-Lipschitz by a penalty on how far the norm of
its slope is from one between real pictures and fakes; five critic steps per generator step, λ = 10, Adam with betas
(0, 0.9), its rate 3e-4 here where the paper has 1e-4 (``WGANGPOptions`` says why). The generator's step takes the
latents of the critic's last one; the algorithm draws fresh ones. The networks are DCGAN's, without
batch normalisation in the critic (section 4: the penalty is on each picture's slope, and batch normalisation would mix
them).
"""

from __future__ import annotations

from cvbench_generators.adversarial.dcgan import Convolutions, Deconvolutions
from cvbench_generators.adversarial.family import Family

FAMILY = Family("wgan_gp", Deconvolutions, Convolutions, conditional=False)
