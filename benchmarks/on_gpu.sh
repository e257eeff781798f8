#!/usr/bin/env bash
# What only a GPU can tell, in calls of at most nine minutes:
#
#   bash benchmarks/on_gpu.sh speed OUT        # tests, steps, share of roofline
#   bash benchmarks/on_gpu.sh compiled OUT     # torch.compile, layers, a trace
#   bash benchmarks/on_gpu.sh train OUT DATA   # trainings beside each other
#
# OUT gets on_gpu.json, logs and, from `train`, weights and metrics. If each call
# had a folder of its own, `python3 -m benchmarks.on_gpu OUT` makes one JSON of
# all files copied into one. DATA has the folders tiny/ (Tiny ImageNet) and few/
# (FEW of configs/ablations.py). A part that fails or takes too long is recorded,
# and the next one starts; what has not begun after SECONDS_LEFT (500) is
# recorded with code 124. REHEARSE=1 does everything small, on a CPU, and
# PATIENCE=5 allows five times as long.
# SEEDS, ROWS, AT_ONCE and EPOCHS (of the photographic network) say what `train`
# trains, BATCHES what `speed` measures and COMPILED what `compiled` does.
#
# It needs what requirements-latest.txt and benchmarks/requirements.txt name. A
# machine that cannot reach PyPI takes what it lacks as wheels: wheels.txt.
set -uo pipefail
cd "$(dirname "$0")/.."
what=$1 out=$(realpath "$2") data=$(realpath "${3:-.}")
runs=${RUNS:-$(mktemp -d)}
patience=${PATIENCE:-1}
export END=$(($(date +%s) + ${SECONDS_LEFT:-500} * patience))
export XLA_PYTHON_CLIENT_PREALLOCATE=false PYTHONUNBUFFERED=1
mkdir -p "$out/logs"

device=gpu small=() few_steps=()
if [ -n "${REHEARSE:-}" ]; then
  export JAX_PLATFORMS=cpu
  device=cpu small=(--small) few_steps=(--config.run.steps=4
    --config.run.evaluate_every=2 --config.run.views=1)
fi

left() {
  echo $((END - $(date +%s)))
}

part() {  # NAME LIMIT COMMAND...
  local name=$1 limit=$(($2 * patience)) begin=$(date +%s) code=124
  shift 2
  [ "$limit" -lt "$(left)" ] || limit=$(left)
  if [ "$limit" -gt 0 ]; then  # For `timeout`, 0 is no limit.
    timeout -k 10 "$limit" "$@" >"$out/logs/$name.txt" 2>&1
    code=$?
  fi
  echo "{\"part\": \"$name\", \"code\": $code," \
    "\"seconds\": $(($(date +%s) - begin))}" | tee -a "$out/parts_$what.jsonl"
}

step() {  # NAME LIMIT BATCH CONTENDERS...
  local name=$1 limit=$2 batch=$3
  shift 3
  part "$name" "$limit" python3 -m benchmarks.against_pytorch \
    --device $device "${small[@]}" --modes train --batch "$batch" --rounds 5 \
    --steps "${STEPS:-20}" --contenders "$@" --out "$out/$name.json"
}

speed() {
  part surroundings 20 bash -c 'nvidia-smi; python3 -m pip list; nproc'
  # The rounding of float32 is tested, and code as fast as in a run.
  JAX_DEFAULT_MATMUL_PRECISION=highest JAX_DISABLE_MOST_OPTIMIZATIONS=0 \
    part tests 120 python3 -m pytest -q -n "${WORKERS:-12}" --dist=load \
    --maxfail=30 --junitxml="$out/tests.xml" \
    tests/network/test_{layers,columns,precision,on_chip}.py \
    tests/learning/test_step.py
  # Ours take 20 s each to compile and torch.compile a minute.
  for batch in ${BATCHES:-128 512 1024}; do
    step "step_$batch" 100 "$batch" ours ours-strict ours-bf16 \
      pytorch-last-hand pytorch-strict pytorch-bf16
  done
}

compiled() {
  for batch in ${COMPILED:-512}; do
    step "compiled_$batch" 150 "$batch" ours pytorch-compiled \
      pytorch-compiled-hand pytorch-compiled-bf16
  done
  part bench 90 python3 launch.py --task=bench --config=configs/paper.py \
    --config.precision=tf32 --config.optimizer.batch_size=512 \
    --config.data.name=procedural --config.data.train_examples=1024 \
    --config.data.path= --out="$out/bench.json" --trace="$runs/trace" \
    ${REHEARSE:+--config.optimizer.batch_size=4 --config.data.image_size=64
      --config.augment.crop=56}
  [ ! -d "$runs/trace" ] || tar -C "$runs" -czf "$out/trace.tar.gz" trace
}

train() {
  export data runs out
  export MORE="${few_steps[*]:-}"
  local rows=${ROWS:-baseline no_dropout no_crops_no_flips
    no_crops_no_flips_no_jitter no_weight_decay no_biases no_crops no_flips
    no_jitter never_talk}
  photographs &
  export PHOTOGRAPHS=$!
  local jobs=$(for seed in ${SEEDS:-0 1 2}; do
    for row in $rows; do echo "$row $seed"; done; done)
  # A few beside the large network, and many when it is done.
  export -f ablation left
  xargs -P 3 -L 1 bash -c 'kill -0 $PHOTOGRAPHS 2>/dev/null &&
    ablation "$@"; true' . <<<"$jobs"
  xargs -P "${AT_ONCE:-10}" -L 1 bash -c 'ablation "$@"' . <<<"$jobs"
  wait
  (cd "$runs" && tar -czf "$out/runs.tar.gz" $(find . \
    -name metrics.jsonl -o -name config.json -o -name command.txt))
}

photographs() {
  local run=$runs/tiny_imagenet_small
  [ "$(left)" -gt 0 ] || return 0
  timeout -k 20 "$(left)" python3 launch.py --workdir="$run" \
    --config=configs/tiny_imagenet_small.py \
    --config.data.path="$data/tiny" $MORE \
    ${EPOCHS:+--config.run.epochs=$EPOCHS} \
    >"$out/logs/tiny_imagenet_small.txt" 2>&1
  JAX_PLATFORMS=cpu timeout 60 python3 launch.py --task=export \
    --workdir="$run" --out="$out/tiny_imagenet_small.npz" \
    >>"$out/logs/tiny_imagenet_small.txt" 2>&1
}

ablation() {  # ROW SEED, once, unless there is no time left for it
  local run=$runs/$1-$2
  [ "$(left)" -gt 30 ] && mkdir "$run" 2>/dev/null || return 0
  timeout -k 20 "$(left)" python3 launch.py --workdir="$run" \
    --config="configs/ablations.py:$1,overfit" --config.seed="$2" \
    --config.data.path="$data/few" $MORE >"$out/logs/$1-$2.txt" 2>&1
}

"$what"
tar -C "$out" -czf "$out/logs_$what.tar.gz" logs
python3 -m benchmarks.on_gpu "$out"
