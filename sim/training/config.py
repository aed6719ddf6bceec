"""What quantization-aware layers do: the datapath, and how thresholds and gradients are found."""

from dataclasses import dataclass

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig
from scalewright.golden.gradients import Estimator
from scalewright.golden.quantize import Scaling

MAX = Clip("max")


@dataclass(frozen=True, kw_only=True)
class QatConfig:
    """How layers quantize while a network trains.

    Attributes:
        datapath: The integers: formats, vectors, scale products, accumulator.
        weight_clip: How the weights' clipping thresholds are chosen: of each vector where the
            format has per-vector scales, else of each output channel or of the whole tensor.
        activation_clip: The same of activations; coarse scales are of whole tensors.
        estimator: Derivatives of the quantizers.
        per_channel: Whether weights have one gamma for each output channel, or one in all.
        static_weights: Whether the weights' thresholds stay as `calibrate` finds them, or are found
            anew at every step.
        static_activations: Whether activations have the coarse scale that `calibrate` finds, as on
            the engine, or that of their tensor at every step.
        scaling: How the per-vector scales of weights, and of activations at dynamic scales, are
            rounded.
        datapath_in_training: Whether scale products round and accumulators saturate while training,
            too. In evaluation they always do.
    """

    datapath: DatapathConfig
    weight_clip: Clip = MAX
    activation_clip: Clip = MAX
    estimator: Estimator = Estimator.HYBRID
    per_channel: bool = True
    static_weights: bool = False
    static_activations: bool = True
    scaling: Scaling = Scaling.NEAREST
    datapath_in_training: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.datapath, DatapathConfig):
            raise TypeError(f"datapath must be a DatapathConfig, not {self.datapath!r}")
        if not isinstance(self.estimator, Estimator):
            raise TypeError(f"estimator must be an Estimator, not {self.estimator!r}")
