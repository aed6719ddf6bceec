"""The exact forward pass: what the engine will give, rounding of results included."""

import torch
from torch import Tensor, nn

from scalewright.golden.config import EngineConfig
from scalewright.golden.network import Network, as_real, run_network


class ExactNetwork(nn.Module):
    """A quantized network as a module, without gradients: golden's integers from end to end.

    A trained network in evaluation mode has golden's integers within each layer; between layers its
    results are floats, where the engine's are rounded to R bits. This one has both.

    Args:
        network: What `scalewright.sim.training.to_network` gives.
        config: The engine.
    """

    def __init__(self, network: Network, config: EngineConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Outputs for inputs (N, ...).

        Raises:
            ValueError: Inputs that do not suit the network, NaN or infinity in them.
        """
        (output,) = self.network.outputs
        tensors = run_network(self.network, x.detach().cpu().numpy(), self.config, keep=[output])
        return torch.as_tensor(as_real(tensors[output]), device=x.device)
