/**
 * What tests have measured, each figure under the title of its test.
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
