const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 100;
/** Shorter work is not announced. */
const quietMs = { terminal: 400, elsewhere: 1_500 };

/**
 * Announces long work: on a terminal by a spinner with the elapsed seconds, which is erased at the end;
 * elsewhere by one plain line. Prints nothing for work that ends within a moment.
 *
 * @param {string} text such as "Building the packages"
 * @param {Pick<NodeJS.WriteStream, "isTTY" | "write">} [stream]
 * @returns {() => void} ends it
 */
export function startProgress(text, stream = process.stderr) {
  if (!stream.isTTY) {
    const timer = setTimeout(() => stream.write(`${text} ...\n`), quietMs.elsewhere);
    return () => clearTimeout(timer);
  }
  const startedMs = performance.now();
  let frame = 0;
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs < quietMs.terminal) return;
    stream.write(
      `\r\x1b[K${frames[frame++ % frames.length]} ${text} ${Math.floor(elapsedMs / 1000)} s`,
    );
  }, frameMs);
  return () => {
    clearInterval(timer);
    if (frame > 0) stream.write("\r\x1b[K");
  };
}
