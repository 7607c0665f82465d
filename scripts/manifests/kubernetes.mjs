import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { typedSource } from "./typed-source.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** @type {import("typescript").CompilerOptions} */
const options = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  types: [],
};

/**
 * Compares manifests with the types that kubernetes-models makes of the API's own schema: unknown
 * keys, wrong types, values that are none of the allowed, and what is missing.
 *
 * @param {ReadonlyMap<string, string>} manifests YAML by path from the root
 * @returns {string[]} one line per problem, beginning with path and line
 */
export function kubernetesProblems(manifests) {
  /** @type {string[]} */
  const problems = [];
  /** @type {Map<string, { path: string, text: string }>} */
  const sources = new Map();
  for (const [path, yaml] of manifests) {
    const source = typedSource(yaml);
    problems.push(...source.problems.map((problem) => `${path}: ${problem}`));
    sources.set(join(root, `${path}.ts`), { path, text: source.text });
  }

  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (file) => sources.has(file) || fileExists(file);
  host.readFile = (file) => sources.get(file)?.text ?? readFile(file);
  const program = ts.createProgram([...sources.keys()], options, host);
  for (const { file, start, messageText } of ts.getPreEmitDiagnostics(program)) {
    const path = sources.get(file?.fileName ?? "")?.path;
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line : 0;
    const text = ts.flattenDiagnosticMessageText(messageText, " ");
    problems.push(`${path ?? "types"}:${line + 1}: ${text}`);
  }
  return problems;
}
