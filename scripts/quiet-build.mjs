import { runChildGroup } from "./child-group.mjs";
import { turboCommand } from "./turbo-command.mjs";

/** A cached build takes less than this; only a longer one is worth a word. */
const worthAWordMs = 1_500;

/**
 * Builds the named packages with all they import, or every package when none is named. Says nothing
 * when it works, and everything when it does not.
 *
 * @param {{ signal?: AbortSignal, packages?: readonly string[] }} [options]
 * @returns {Promise<boolean>} whether the build succeeded
 */
export async function buildQuietly({ signal, packages = [] } = {}) {
  const timer = setTimeout(() => console.log("Building the packages ..."), worthAWordMs);
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
    if (code !== 0 && !signal?.aborted) process.stderr.write(output);
    return code === 0;
  } finally {
    clearTimeout(timer);
  }
}
