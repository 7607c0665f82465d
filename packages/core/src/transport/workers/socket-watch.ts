import { existsSync } from "node:fs";
import type { Clock } from "../../clock.ts";

const checkMs = 1_000;

/**
 * Calls `onDeleted` once a second while the file of a socket does not exist, such as after the temporary folder
 * was cleaned: processes that start then would not find the socket. Returns a function that ends the checks.
 */
export function watchSocketFile(
  path: string,
  { clock, onDeleted }: { readonly clock: Clock; readonly onDeleted: () => void },
): () => void {
  let cancelTimer = (): void => {};
  const check = (): void => {
    cancelTimer = clock.schedule(checkMs, check);
    if (!existsSync(path)) onDeleted();
  };
  cancelTimer = clock.schedule(checkMs, check);
  return () => cancelTimer();
}
