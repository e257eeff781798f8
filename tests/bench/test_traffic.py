"""Bytes are those of what XLA leaves, not of what it fuses."""

import pathlib

import jax
import jax.numpy as jnp
import pytest

from alexnet_jax.bench import traffic

PROGRAM = """HloModule jit_f, entry_computation_layout={(f32[4]{0})->bf16[8]{0}}

%fused (p.1: f32[4]) -> f32[4] {
  %p.1 = f32[4]{0} parameter(0)
  ROOT %m = f32[4]{0} multiply(%p.1, %p.1)
}

%command_buffer (p.2: f32[4]) -> (bf16[8], u8[100]) {
  %p.2 = f32[4]{0} parameter(0)
  ROOT %conv = (bf16[8]{0}, u8[100]{0}) custom-call(%p.2), backend_config={"a"}
}

ENTRY %main.3 (x.1: f32[4]) -> bf16[8] {
  %x.1 = f32[4]{0} parameter(0), metadata={op_name="x"}
  %fusion.7 = f32[4]{0} fusion(%x.1), kind=kLoop, calls=%fused
  %add-1 = f32[4]{0} add(f32[4]{0} %fusion.7, f32[4]{0} %fusion.7)
  %call = (bf16[8]{0}, u8[100]{0}) call(%add-1), to_apply=%command_buffer
  ROOT %get = bf16[8]{0} get-tuple-element(%call), index=0
}
"""


def test_every_instruction_reads_its_operands_and_writes_its_result():
  fusion, add = 16 + 16, 16 + 16  # the same operand twice is read once
  convolution = 16 + 16 + 100  # with its scratch memory
  assert traffic.moved_bytes(PROGRAM) == fusion + add + convolution


def test_a_real_program_reads_its_arguments_and_writes_its_results():
  x = jnp.ones((256, 256))
  compiled = jax.jit(lambda x: jnp.tanh(x) + 1).lower(x).compile()
  assert traffic.moved_bytes(compiled.as_text()) == 2 * x.nbytes


TPU_PROGRAM = pathlib.Path(__file__).with_name('tpu.hlo').read_text()


def test_on_a_tpu_tiles_are_padded_and_memory_on_the_chip_is_not_counted():
  a_slice = 8 * 128 * 2  # read by the fusion, written by the copy
  loop = 10 * 2 * 512
  started = 2 * a_slice + 4  # the slice of sixteen rows, and a counter
  assert traffic.moved_bytes(TPU_PROGRAM) == pytest.approx(
      a_slice + a_slice + started + loop, abs=8)


def test_bytes_belong_to_the_layer_and_direction_of_their_scope():
  sums = traffic.by_scope(
      traffic.parse(TPU_PROGRAM), ('conv1', 'fc6', 'update'))
  assert sums['conv1']['backward'] == 2 * 8 * 128 * 2  # the copy as well
  assert sums['conv1']['forward'] == pytest.approx(16 * 128 * 2, abs=8)
  assert sums['update'] == {'forward': 10 * 2 * 512, 'backward': 0}
  assert sums['fc6'] == sums[''] == {'forward': 0, 'backward': 0}
