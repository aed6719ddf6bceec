"""The configurations of the hardware and every width that follows from them.

This is all that the golden model, the hardware and the testbenches share: facts, no arithmetic on
data.
"""

from scalewright.golden.config.composition import (
    Format,
    WideFormat,
    compose,
    require_format,
)
from scalewright.golden.config.datapath import (
    ACCUMULATOR_BITS,
    ELEMENT_BITS,
    PIPELINE_DEPTH,
    PIPELINE_DEPTHS,
    PRESETS,
    SCALE_BITS,
    VECTOR_SIZES,
    DatapathConfig,
    OperandFormat,
)
from scalewright.golden.config.engine import (
    EXPONENTS,
    MANTISSA_BITS,
    OUTPUT_FRACTION_BITS,
    RESULT_BITS,
    ActivationFunction,
    EngineConfig,
    Output,
)
from scalewright.golden.config.octav import CONSTANT_BITS, OctavConfig

__all__ = [
    "ACCUMULATOR_BITS",
    "CONSTANT_BITS",
    "ELEMENT_BITS",
    "EXPONENTS",
    "MANTISSA_BITS",
    "OUTPUT_FRACTION_BITS",
    "PIPELINE_DEPTH",
    "PIPELINE_DEPTHS",
    "PRESETS",
    "RESULT_BITS",
    "SCALE_BITS",
    "VECTOR_SIZES",
    "ActivationFunction",
    "DatapathConfig",
    "EngineConfig",
    "Format",
    "OctavConfig",
    "OperandFormat",
    "Output",
    "WideFormat",
    "compose",
    "require_format",
]
