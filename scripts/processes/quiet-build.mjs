import { runChildGroup } from "./child-group.mjs";
import { requirePnpm } from "./missing-pnpm.mjs";
import { startProgress } from "./progress.mjs";
import { turboCommand } from "./turbo-command.mjs";

/**
 * Builds the named packages with all they import, or every package when none is named. Shows its
 * progress, and the output when it fails.
 *
 * @param {object} [options]
 * @param {AbortSignal} [options.signal]
 * @param {readonly string[]} [options.packages]
 * @param {boolean} [options.isPlain] no spinner, since others print meanwhile
 * @returns {Promise<boolean>} whether the build succeeded
 */
export async function buildQuietly({ signal, packages = [], isPlain = false } = {}) {
  await requirePnpm();
  const { stderr } = process;
  const write = stderr.write.bind(stderr);
  const endProgress = startProgress(
    "Building the packages",
    isPlain ? { isTTY: false, write } : stderr,
  );
  const filters = packages.map((name) => `--filter=${name}...`);
  const { command, args, env } = turboCommand([
    "run",
    "build",
    "--output-logs=errors-only",
    ...filters,
  ]);
  try {
    const { code, output } = await runChildGroup(command, args, {
      env,
      capture: true,
      ...(signal && { signal }),
    });
    endProgress();
    if (code !== 0 && !signal?.aborted) stderr.write(output);
    return code === 0;
  } finally {
    endProgress();
  }
}
