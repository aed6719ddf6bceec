from golden.config import ELEMENT_BITS, PIPELINE_DEPTHS, SCALE_BITS, VECTOR_SIZES
from sim.coverage import ENGINES, VECTOR_MACS


def test_covers_at_least_24_configurations() -> None:
    assert len(set(VECTOR_MACS)) == len(VECTOR_MACS) >= 24


def test_covers_every_width_of_every_kind() -> None:
    weights = {config.weights for config in VECTOR_MACS}
    activations = {config.activations for config in VECTOR_MACS}
    assert {fmt.element_bits for fmt in weights} == set(ELEMENT_BITS)
    for signed in (True, False):
        widths = {fmt.element_bits for fmt in activations if fmt.signed == signed}
        assert widths == set(ELEMENT_BITS), f"signed={signed}"
    scales = {None, *SCALE_BITS}
    assert {fmt.scale_bits for fmt in weights} == scales
    assert {fmt.scale_bits for fmt in activations} == scales
    assert {config.vector_size for config in VECTOR_MACS} == set(VECTOR_SIZES)


def test_covers_absent_scales_on_either_side_and_both() -> None:
    absent = {
        (config.weights.scale_bits is None, config.activations.scale_bits is None)
        for config in VECTOR_MACS
    }
    assert len(absent) == 4


def test_covers_scale_products_from_one_bit_to_all() -> None:
    shifts = {config.scale_product_shift for config in VECTOR_MACS}
    kept = {c.rounded_scale_product_bits for c in VECTOR_MACS if c.scale_product_shift}
    assert {0, 1, 2, 4} <= shifts
    assert {1, 2, 3, 4, 5, 6, 8, 9, 11, 12} <= kept


def test_covers_accumulators_from_narrower_than_a_partial_sum_to_the_widest() -> None:
    widths = {config.accumulator_bits for config in VECTOR_MACS}
    assert {16, 17, 24, 32, 48} <= widths
    assert any(config.accumulator_bits < config.partial_sum_bits for config in VECTOR_MACS)


def test_covers_every_pipeline_depth_with_scales_and_without() -> None:
    for scaled in (True, False):
        depths = {
            config.pipeline_depth
            for config in VECTOR_MACS
            if (config.full_scale_product_bits > 0) == scaled
        }
        assert depths == set(PIPELINE_DEPTHS), f"scaled={scaled}"


def test_engines_cover_lanes_on_either_side_of_a_vector_and_every_kind_of_format() -> None:
    sizes = {
        (c.lanes > c.datapath.vector_size) - (c.lanes < c.datapath.vector_size) for c in ENGINES
    }
    assert sizes == {-1, 0, 1}
    assert {1, 16} <= {config.lanes for config in ENGINES}
    assert {config.output.signed for config in ENGINES} == {True, False}
    absent = {(c.datapath.weights.scale_bits, c.output.scale_bits).count(None) for c in ENGINES}
    assert absent == {0, 1, 2}
    assert {8, 18, 24, 32} <= {config.result_bits for config in ENGINES}
    assert {16, 24, 48} <= {config.datapath.accumulator_bits for config in ENGINES}
    assert any(
        config.post_lanes == config.lanes == config.datapath.vector_size for config in ENGINES
    )
    assert any(config.depth == config.groups for config in ENGINES)
