"""Bytes are those of what XLA leaves, not of what it fuses."""

import jax
import jax.numpy as jnp

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
