/**
 * The figures of a run, each under the title of the test that annotated it.
 *
 * @param {readonly { test: string, text: string }[]} figures
 * @returns {string[]}
 */
export function figureLines(figures) {
  if (figures.length === 0) return [];
  return ["Figures:", ...figures.flatMap(({ test, text }) => [test, indent(text)])];
}

/** @param {string} text */
function indent(text) {
  return text.replaceAll(/^/gm, "    ");
}
