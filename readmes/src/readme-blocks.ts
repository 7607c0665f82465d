import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** A block of code in a Markdown file of this repository. */
export interface ReadmeBlock {
  /** From the root: `packages/core/README.md`. */
  readonly file: string;
  /** Of its first line of code. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** What a fragment needs to compile: the comment `<!-- fragment … -->` before it. Undefined for a complete program. */
  readonly context: { readonly code: string; readonly line: number } | undefined;
}

/** A guide whose blocks are taken from sources, to the letter, as its own test shows. */
export const guideOfListings = {
  file: "docs/writing-a-transport.md",
  test: "examples/07-unix-socket-transport/src/guide.test.ts",
} as const;

const skippedFolders = new Set(["node_modules", "dist", "temp", "coverage", "api", "adr"]);
const blockPattern =
  /(?:<!-- fragment\n(?<context>.*?)-->\s*?\n+)?^```(?<language>\w*)\n(?<code>.*?)^```$/gms;

/** The blocks of all READMEs, of `docs` and of CONTRIBUTING.md. */
export async function readBlocks(): Promise<readonly ReadmeBlock[]> {
  const files: string[] = [];
  for (const file of await markdownFiles("")) {
    if (/(^|\/)(README|CONTRIBUTING)\.md$|^docs\//.test(file)) files.push(file);
  }
  const blocks = await Promise.all(
    files.sort().map(async (file) => blocksOf(file, await readFile(`${root}${file}`, "utf8"))),
  );
  return blocks.flat();
}

async function markdownFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(`${root}${folder}`, { withFileTypes: true })) {
    if (entry.name.startsWith(".") || skippedFolders.has(entry.name)) continue;
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory()) found.push(...(await markdownFiles(`${path}/`)));
    else if (entry.name.endsWith(".md")) found.push(path);
  }
  return found;
}

export function blocksOf(file: string, text: string): ReadmeBlock[] {
  return [...text.matchAll(blockPattern)].map((match) => {
    const { context, language = "", code = "" } = match.groups ?? {};
    const lineAt = (offset: number): number => text.slice(0, offset).split("\n").length;
    const codeStart = match.index + match[0].lastIndexOf(`\n${code}\`\`\``) + 1;
    return {
      file,
      line: lineAt(codeStart),
      language,
      code,
      context: context === undefined ? undefined : { code: context, line: lineAt(match.index) + 1 },
    };
  });
}
