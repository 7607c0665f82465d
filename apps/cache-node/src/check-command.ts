import { ParsecError } from "@parsec/core";
import { checkFolder } from "./persist/check-folder.ts";

const usage = `check <folder>: says what each partition in a folder of --persist holds, and where it is damaged.
It changes nothing. Exit code 0: all is sound; 1: something is damaged; 2: it is not such a folder.
`;

/** Runs `check <folder>`; resolves with the exit code. Rejects with `INVALID_ARGUMENT` when it is not a data folder. */
export async function checkCommand(args: readonly string[]): Promise<number> {
  const [folder, ...others] = args;
  if (folder === "--help" || folder === "-help") {
    process.stdout.write(usage);
    return 0;
  }
  if (folder === undefined || folder === "" || others.length > 0 || folder.startsWith("-")) {
    throw new ParsecError("INVALID_ARGUMENT", "check needs the path of one folder: check <folder>");
  }
  const { isSound, lines } = await checkFolder(folder);
  process.stdout.write(`${lines.join("\n")}\n`);
  return isSound ? 0 : 1;
}
