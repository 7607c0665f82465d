import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from "yaml";

/**
 * @typedef {object} TypedSource
 * @property {string} text TypeScript
 * @property {string[]} problems of the YAML itself
 */

/**
 * Writes the Kubernetes manifests of a file as TypeScript literals of the types that their apiVersion
 * and kind name. Each line stays where it is in the YAML, so that the compiler's complaints are about
 * lines of the manifest.
 *
 * @param {string} yaml
 * @returns {TypedSource}
 */
export function typedSource(yaml) {
  const lines = new LineCounter();
  /** @type {string[]} */
  const problems = [];
  let text = "";
  let line = 1;

  /** @param {string} piece @param {{ range?: readonly number[] | null | undefined }} [at] */
  const write = (piece, at) => {
    const wanted = at?.range?.[0] === undefined ? line : lines.linePos(at.range[0]).line;
    text += "\n".repeat(Math.max(0, wanted - line)) + piece;
    line = Math.max(line, wanted);
  };
  /** @param {unknown} node */
  const writeNode = (node) => {
    if (isMap(node)) {
      write("{", node);
      for (const { key, value } of node.items) {
        write(`${JSON.stringify(String(key))}: `, /** @type {import("yaml").Scalar} */ (key));
        writeNode(value);
        write(", ");
      }
      write("}");
    } else if (isSeq(node)) {
      write("[", node);
      for (const item of node.items) {
        writeNode(item);
        write(", ");
      }
      write("]");
    } else if (isScalar(node)) {
      write(JSON.stringify(node.value), node);
    } else {
      if (isAlias(node)) problems.push(`*${node.source} is an alias; write it out`);
      write("undefined");
    }
  };

  for (const [index, document] of parseAllDocuments(yaml, { lineCounter: lines }).entries()) {
    problems.push(...document.errors.map(({ message }) => message.split("\n", 1).join()));
    const { apiVersion, kind } = /** @type {Record<string, unknown>} */ (document.toJS() ?? {});
    write("", document.contents ?? undefined);
    write(
      `import type { I${kind} as Kind${index} } from "kubernetes-models/${apiVersion}/${kind}"; `,
    );
    write(`export const manifest${index}: Kind${index} = `);
    writeNode(document.contents);
    write(";");
  }
  return { text, problems };
}
