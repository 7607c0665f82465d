import { validate } from "dockerfile-utils";

/**
 * Looks for instructions, flags and arguments that the builder would refuse or has deprecated.
 *
 * @param {string} path
 * @param {string} text
 * @returns {string[]} one line per problem, beginning with path and line
 */
export function dockerfileProblems(path, text) {
  return validate(text).map(({ range, message }) => `${path}:${range.start.line + 1}: ${message}`);
}
