"""Every algebraic law, with a program that it applies to and what it makes of it."""

from __future__ import annotations

from ir.passes import diagonal, laws, scaling, spreading

Case = tuple[laws.Law, str, str]

CASES: list[Case] = [
    (
        laws.add_negative_zero,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=-0.0, shape=(9,)]
          %2: f64[9] = add %0, %1
          return %2
        """,
        """
        (%0: f64[9])
          return %0
        """,
    ),
    (
        laws.add_negative_zero,
        """
        (%0: i64[9])
          %1: i64[9] = constant[value=0, dtype='i64', shape=(9,)]
          %2: i64[9] = add %1, %0
          return %2
        """,
        """
        (%0: i64[9])
          return %0
        """,
    ),
    (
        laws.add_zero,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=0.0, shape=(9,)]
          %2: f64[9] = add %1, %0
          return %2
        """,
        """
        (%0: f64[9])
          return %0
        """,
    ),
    (
        laws.subtract_zero,
        """
        (%0: f32[9])
          %1: f32[9] = constant[value=0.0, dtype='f32', shape=(9,)]
          %2: f32[9] = sub %0, %1
          return %2
        """,
        """
        (%0: f32[9])
          return %0
        """,
    ),
    (
        laws.add_negated,
        """
        (%0: f64[9], %1: f64[9])
          %2: f64[9] = neg %1
          %3: f64[9] = add %0, %2
          return %3
        """,
        """
        (%0: f64[9], %1: f64[9])
          %2: f64[9] = sub %0, %1
          return %2
        """,
    ),
    (
        laws.add_negated,
        """
        (%0: f64[9], %1: f64[9])
          %2: f64[9] = neg %0
          %3: f64[9] = add %2, %1
          return %3
        """,
        """
        (%0: f64[9], %1: f64[9])
          %2: f64[9] = sub %1, %0
          return %2
        """,
    ),
    (
        laws.subtract_negated,
        """
        (%0: f64[9], %1: f64[9])
          %2: f64[9] = neg %1
          %3: f64[9] = sub %0, %2
          return %3
        """,
        """
        (%0: f64[9], %1: f64[9])
          %2: f64[9] = add %0, %1
          return %2
        """,
    ),
    (
        laws.double_negation,
        """
        (%0: i32[9])
          %1: i32[9] = neg %0
          %2: i32[9] = neg %1
          return %2
        """,
        """
        (%0: i32[9])
          return %0
        """,
    ),
    (
        laws.double_complement,
        """
        (%0: bool[9])
          %1: bool[9] = not %0
          %2: bool[9] = not %1
          return %2
        """,
        """
        (%0: bool[9])
          return %0
        """,
    ),
    (
        laws.multiply_by_one,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=1.0, shape=(9,)]
          %2: f64[9] = mul %1, %0
          %3: f64[9] = mul %2, %1
          return %3
        """,
        """
        (%0: f64[9])
          return %0
        """,
    ),
    (
        laws.multiply_by_minus_one,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=-1.0, shape=(9,)]
          %2: f64[9] = mul %0, %1
          return %2
        """,
        """
        (%0: f64[9])
          %1: f64[9] = neg %0
          return %1
        """,
    ),
    (
        laws.signs_cancel,
        """
        (%0: f64[9], %1: f64[9])
          %2: f64[9] = neg %0
          %3: f64[9] = neg %1
          %4: f64[9] = mul %2, %3
          %5: f64[9] = div %2, %3
          return %4, %5
        """,
        """
        (%0: f64[9], %1: f64[9])
          %2: f64[9] = mul %0, %1
          %3: f64[9] = div %0, %1
          return %2, %3
        """,
    ),
    (
        laws.divide_by_one,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=1.0, shape=(9,)]
          %2: f64[9] = div %0, %1
          return %2
        """,
        """
        (%0: f64[9])
          return %0
        """,
    ),
    (
        laws.power_of_small_whole_number,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=2.0, shape=(9,)]
          %2: f64[9] = constant[value=1.0, shape=(9,)]
          %3: f64[9] = pow %0, %1
          %4: f64[9] = pow %0, %2
          return %3, %4
        """,
        """
        (%0: f64[9])
          %1: f64[9] = integer_pow[exponent=2] %0
          return %1, %0
        """,
    ),
    (
        laws.first_power,
        """
        (%0: f64[9])
          %1: f64[9] = integer_pow[exponent=1] %0
          return %1
        """,
        """
        (%0: f64[9])
          return %0
        """,
    ),
    (
        laws.convert_to_itself,
        """
        (%0: f32[9])
          %1: f32[9] = convert[dtype='f32'] %0
          return %1
        """,
        """
        (%0: f32[9])
          return %0
        """,
    ),
    (
        laws.select_known,
        """
        (%0: f64[9], %1: f64[9], %2: bool[9])
          %3: bool[9] = constant[value=True, dtype='bool', shape=(9,)]
          %4: bool[9] = constant[value=False, dtype='bool', shape=(9,)]
          %5: f64[9] = select %3, %0, %1
          %6: f64[9] = select %4, %0, %1
          %7: f64[9] = select %2, %0, %0
          return %5, %6, %7
        """,
        """
        (%0: f64[9], %1: f64[9], %2: bool[9])
          return %0, %1, %0
        """,
    ),
    (
        laws.select_complement,
        """
        (%0: bool[9], %1: f64[9], %2: f64[9])
          %3: bool[9] = not %0
          %4: f64[9] = select %3, %1, %2
          return %4
        """,
        """
        (%0: bool[9], %1: f64[9], %2: f64[9])
          %3: f64[9] = select %0, %2, %1
          return %3
        """,
    ),
    (
        laws.permute_of_permute,
        """
        (%0: f64[2,3,4])
          %1: f64[4,2,3] = permute[perm=(2, 0, 1)] %0
          %2: f64[3,4,2] = permute[perm=(2, 0, 1)] %1
          return %2
        """,
        """
        (%0: f64[2,3,4])
          %1: f64[3,4,2] = permute[perm=(1, 2, 0)] %0
          return %1
        """,
    ),
    (
        laws.permute_of_permute,
        """
        (%0: f64[2,3,4])
          %1: f64[4,2,3] = permute[perm=(2, 0, 1)] %0
          %2: f64[2,3,4] = permute[perm=(1, 2, 0)] %1
          return %2
        """,
        """
        (%0: f64[2,3,4])
          return %0
        """,
    ),
    (
        laws.reshape_of_reshape,
        """
        (%0: f64[2,6])
          %1: f64[12] = reshape[shape=(12,)] %0
          %2: f64[3,4] = reshape[shape=(3, 4)] %1
          %3: f64[2,6] = reshape[shape=(2, 6)] %2
          return %2, %3
        """,
        """
        (%0: f64[2,6])
          %1: f64[3,4] = reshape[shape=(3, 4)] %0
          return %1, %0
        """,
    ),
    (
        laws.broadcast_of_broadcast,
        """
        (%0: f64[3])
          %1: f64[3,2] = broadcast[shape=(3, 2), dims=(0,)] %0
          %2: f64[4,3,2] = broadcast[shape=(4, 3, 2), dims=(1, 2)] %1
          return %2
        """,
        """
        (%0: f64[3])
          %1: f64[4,3,2] = broadcast[shape=(4, 3, 2), dims=(1,)] %0
          return %1
        """,
    ),
    (
        laws.broadcast_of_unit_reshape,
        """
        (%0: f64[3])
          %1: f64[1,3] = reshape[shape=(1, 3)] %0
          %2: f64[4,1,3] = broadcast[shape=(4, 1, 3), dims=(1, 2)] %1
          return %2
        """,
        """
        (%0: f64[3])
          %1: f64[4,1,3] = broadcast[shape=(4, 1, 3), dims=(2,)] %0
          return %1
        """,
    ),
    (
        spreading.pointwise_of_spread,
        """
        (%0: f64[3], %1: f64[3])
          %2: f64[2,3] = broadcast[shape=(2, 3), dims=(1,)] %0
          %3: f64[2,3] = broadcast[shape=(2, 3), dims=(1,)] %1
          %4: f64[2,3] = constant[value=2.0, shape=(2, 3)]
          %5: f64[2,3] = div %2, %3
          %6: f64[2,3] = div %4, %3
          return %5, %6
        """,
        """
        (%0: f64[3], %1: f64[3])
          %2: f64[3] = div %0, %1
          %3: f64[2,3] = broadcast[shape=(2, 3), dims=(1,)] %2
          %4: f64[3] = constant[value=2.0, shape=(3,)]
          %5: f64[3] = div %4, %1
          %6: f64[2,3] = broadcast[shape=(2, 3), dims=(1,)] %5
          return %3, %6
        """,
    ),
    (
        laws.constant_moved,
        """
        ()
          %0: f64[] = constant[value=-0.0]
          %1: f64[2,3] = broadcast[shape=(2, 3), dims=()] %0
          %2: f64[3,2] = permute[perm=(1, 0)] %1
          %3: f64[6] = reshape[shape=(6,)] %2
          %4: f64[2] = slice[starts=(5,), sizes=(2,), strides=(-3,)] %3
          return %4
        """,
        """
        ()
          %0: f64[2] = constant[value=-0.0, shape=(2,)]
          return %0
        """,
    ),
    (
        laws.slice_of_everything,
        """
        (%0: f64[4,1])
          %1: f64[4,1] = slice[starts=(0, 0), sizes=(4, 1), strides=(1, -1)] %0
          return %1
        """,
        """
        (%0: f64[4,1])
          return %0
        """,
    ),
    (
        laws.slice_of_slice,
        """
        (%0: f64[9])
          %1: f64[4] = slice[starts=(7,), sizes=(4,), strides=(-2,)] %0
          %2: f64[2] = slice[starts=(3,), sizes=(2,), strides=(-2,)] %1
          return %2
        """,
        """
        (%0: f64[9])
          %1: f64[2] = slice[starts=(1,), sizes=(2,), strides=(4,)] %0
          return %1
        """,
    ),
    (
        laws.slice_of_concatenate,
        """
        (%0: f64[3,2], %1: f64[3,4])
          %2: f64[3,6] = concatenate[axis=1] %0, %1
          %3: f64[2,2] = slice[starts=(0, 5), sizes=(2, 2), strides=(2, -2)] %2
          return %3
        """,
        """
        (%0: f64[3,2], %1: f64[3,4])
          %2: f64[2,2] = slice[starts=(0, 3), sizes=(2, 2), strides=(2, -2)] %1
          return %2
        """,
    ),
    (
        laws.add_everywhere,
        """
        (%0: f64[4], %1: f64[4])
          %2: f64[4] = slice_add[starts=(0,), strides=(1,)] %0, %1
          return %2
        """,
        """
        (%0: f64[4], %1: f64[4])
          %2: f64[4] = add %0, %1
          return %2
        """,
    ),
    (
        laws.write_everywhere,
        """
        (%0: f64[4], %1: f64[4])
          %2: f64[4] = slice_update[starts=(0,), strides=(1,)] %0, %1
          return %2
        """,
        """
        (%0: f64[4], %1: f64[4])
          return %1
        """,
    ),
    (
        laws.update_by_nothing,
        """
        (%0: f64[4], %1: f64[0], %2: i64[0])
          %3: f64[4] = slice_update[starts=(4,), strides=(1,)] %0, %1
          %4: f64[4] = scatter_add[axes=(0,)] %3, %1, %2
          return %4
        """,
        """
        (%0: f64[4], %1: f64[0], %2: i64[0])
          return %0
        """,
    ),
    (
        laws.concatenate_of_one,
        """
        (%0: f64[4], %1: f64[0], %2: f64[2])
          %3: f64[4] = concatenate %0, %1
          %4: f64[6] = concatenate %0, %1, %2
          %5: f64[0] = concatenate %1
          return %3, %4, %5
        """,
        """
        (%0: f64[4], %1: f64[0], %2: f64[2])
          %3: f64[6] = concatenate %0, %2
          return %0, %3, %1
        """,
    ),
    (
        laws.pad_by_nothing,
        """
        (%0: f64[2,3])
          %1: f64[2,3] = pad[before=(0, 0), after=(0, 0)] %0
          return %1
        """,
        """
        (%0: f64[2,3])
          return %0
        """,
    ),
    (
        laws.reduce_no_axis,
        """
        (%0: f64[3,1])
          %1: f64[3] = reduce_max[axes=(1,)] %0
          %2: f64[3] = reduce_min[axes=(1,)] %0
          %3: f64[3] = reduce_prod[axes=(1,)] %0
          return %1, %2, %3
        """,
        """
        (%0: f64[3,1])
          %1: f64[3] = reshape[shape=(3,)] %0
          %2: f64[3] = reshape[shape=(3,)] %0
          %3: f64[3] = reshape[shape=(3,)] %0
          return %1, %2, %3
        """,
    ),
    (
        laws.sum_of_one,
        """
        (%0: f64[3,1])
          %1: f64[3] = reduce_sum[axes=(1,)] %0
          return %1
        """,
        """
        (%0: f64[3,1])
          %1: f64[3] = reshape[shape=(3,)] %0
          %2: f64[3] = constant[value=0.0, shape=(3,)]
          %3: f64[3] = add %1, %2
          return %3
        """,
    ),
    (
        laws.contract_permuted,
        """
        (%0: f64[3,4], %1: f64[2,3])
          %2: f64[4,3] = permute[perm=(1, 0)] %0
          %3: f64[4,2] = dot_general[contract=((1,), (1,))] %2, %1
          return %3
        """,
        """
        (%0: f64[3,4], %1: f64[2,3])
          %2: f64[4,2] = dot_general[contract=((0,), (1,))] %0, %1
          return %2
        """,
    ),
    (
        laws.count_of_one,
        """
        (%0: i64[3,1])
          %1: i64[3,1] = iota[dtype='i64', shape=(3, 1), axis=1]
          %2: i64[3,1] = mul %0, %1
          return %2
        """,
        """
        (%0: i64[3,1])
          %1: i64[3,1] = constant[value=0, dtype='i64', shape=(3, 1)]
          %2: i64[3,1] = mul %0, %1
          return %2
        """,
    ),
    (
        scaling.negated_product,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=3.0, shape=(9,)]
          %2: f64[9] = mul %1, %0
          %3: f64[9] = neg %2
          return %3
        """,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=-3.0, shape=(9,)]
          %2: f64[9] = mul %1, %0
          return %2
        """,
    ),
    (
        scaling.product_of_negated,
        """
        (%0: f32[9])
          %1: f32[9] = constant[value=3.0, dtype='f32', shape=(9,)]
          %2: f32[9] = neg %0
          %3: f32[9] = mul %2, %1
          return %3
        """,
        """
        (%0: f32[9])
          %1: f32[9] = constant[value=-3.0, dtype='f32', shape=(9,)]
          %2: f32[9] = mul %1, %0
          return %2
        """,
    ),
    (
        scaling.power_of_two,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=4.0, shape=(9,)]
          %2: f64[9] = mul %0, %1
          %3: f64[9] = constant[value=-100.0, shape=(9,)]
          %4: f64[9] = mul %3, %2
          return %4
        """,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=-400.0, shape=(9,)]
          %2: f64[9] = mul %1, %0
          return %2
        """,
    ),
    (
        spreading.constant_and_spread,
        """
        (%0: f64[9])
          %1: f64[4,9] = broadcast[shape=(4, 9), dims=(1,)] %0
          %2: f64[4,9] = constant[value=3.0, shape=(4, 9)]
          %3: f64[4,9] = sub %2, %1
          return %3
        """,
        """
        (%0: f64[9])
          %1: f64[9] = constant[value=3.0, shape=(9,)]
          %2: f64[9] = sub %1, %0
          %3: f64[4,9] = broadcast[shape=(4, 9), dims=(1,)] %2
          return %3
        """,
    ),
    (
        diagonal.only_unit_array,
        """
        ()
          %0: f64[1,1] = unit_arrays[dtype='f64', shape=(1, 1)]
          return %0
        """,
        """
        ()
          %0: f64[1,1] = constant[value=1.0, shape=(1, 1)]
          return %0
        """,
    ),
    (
        diagonal.scale,
        """
        (%0: f64[4,5])
          %1: f64[4,4] = unit_arrays[dtype='f64', shape=(4, 4)]
          %2: f64[5,4] = dot_general[contract=((0,), (1,))] %0, %1
          return %2
        """,
        """
        (%0: f64[4,5])
          %1: f64[5,4] = permute[perm=(1, 0)] %0
          %2: f64[4] = constant[value=1.0, shape=(4,)]
          %3: f64[5,4] = broadcast[shape=(5, 4), dims=(1,)] %2
          %4: f64[5,4] = mul %1, %3
          return %4
        """,
    ),
    (
        diagonal.scale,
        """
        (%0: f64[4], %1: f64[4], %2: bool[4], %3: f64[4,5])
          %4: f64[4,4] = unit_arrays[dtype='f64', shape=(4, 4)]
          %5: f64[4,4] = broadcast[shape=(4, 4), dims=(1,)] %0
          %6: f64[4,4] = mul %4, %5
          %7: f64[4,4] = broadcast[shape=(4, 4), dims=(0,)] %1
          %8: f64[4,4] = mul %7, %6
          %9: f64[4,4] = neg %8
          %10: f64[4,4] = constant[value=0.0, shape=(4, 4)]
          %11: bool[4,4] = broadcast[shape=(4, 4), dims=(1,)] %2
          %12: f64[4,4] = select %11, %9, %10
          %13: f64[4,5] = dot_general[contract=((1,), (0,))] %12, %3
          return %13
        """,
        """
        (%0: f64[4], %1: f64[4], %2: bool[4], %3: f64[4,5])
          %4: f64[4] = constant[value=1.0, shape=(4,)]
          %5: f64[4] = mul %4, %0
          %6: f64[4] = mul %1, %5
          %7: f64[4] = neg %6
          %8: f64[4] = constant[value=0.0, shape=(4,)]
          %9: f64[4] = select %2, %7, %8
          %10: f64[4,5] = broadcast[shape=(4, 5), dims=(0,)] %9
          %11: f64[4,5] = mul %3, %10
          return %11
        """,
    ),
    (
        diagonal.scale,
        """
        (%0: f64[2,3], %1: f64[5,2,3])
          %2: f64[3,3] = unit_arrays[dtype='f64', shape=(3, 3)]
          %3: f64[3,3] = constant[value=3.0, shape=(3, 3)]
          %4: f64[3,3] = div %2, %3
          %5: f64[5,2,3] = dot_general[contract=((2,), (0,))] %1, %4
          return %5
        """,
        """
        (%0: f64[2,3], %1: f64[5,2,3])
          %2: f64[3] = constant[value=1.0, shape=(3,)]
          %3: f64[3] = constant[value=3.0, shape=(3,)]
          %4: f64[3] = div %2, %3
          %5: f64[5,2,3] = broadcast[shape=(5, 2, 3), dims=(2,)] %4
          %6: f64[5,2,3] = mul %1, %5
          return %6
        """,
    ),
    (
        diagonal.sum_of_diagonal,
        """
        (%0: f64[4])
          %1: f64[4,4] = unit_arrays[dtype='f64', shape=(4, 4)]
          %2: f64[4,4] = broadcast[shape=(4, 4), dims=(1,)] %0
          %3: f64[4,4] = mul %2, %1
          %4: f64[4] = reduce_sum[axes=(1,)] %3
          return %4
        """,
        """
        (%0: f64[4])
          %1: f64[4] = constant[value=1.0, shape=(4,)]
          %2: f64[4] = mul %0, %1
          return %2
        """,
    ),
]
