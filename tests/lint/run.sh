#!/usr/bin/env bash
# House rules that a compiler does not check; a few seconds. With --format also clang-format.
set -euo pipefail
cd "$(dirname "$0")/../.."
failed=0
python3 tests/lint/lint.py || failed=1
for script in run tests/lint/run.sh certs/make-dev-certs.sh .ci/run config/completion/certgate.bash; do
  bash -n "$script" || failed=1
done
if [ "${1:-}" = --format ]; then
  git ls-files '*.cpp' '*.hpp' | xargs clang-format --dry-run --Werror || failed=1
fi
[ $failed -eq 0 ] && echo "lint: ok"
exit $failed
