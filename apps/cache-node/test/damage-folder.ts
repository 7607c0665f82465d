import {
  cpSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Numbers from 0 up to, but not including, 1. */
type Random = () => number;

/** A way to damage a data folder. */
export type DamageKind =
  | "flip a bit"
  | "flip a bit of the head"
  | "cut"
  | "empty"
  | "remove"
  | "write twice"
  | "append rubbish"
  | "replace by rubbish"
  | "use the file of another partition"
  | "rename the file";

interface Target {
  readonly folder: string;
  readonly partition: string;
  readonly file: string;
  readonly random: Random;
}

const pathOf = ({ folder, partition, file }: Target): string => join(folder, partition, file);

const damages: Readonly<Record<DamageKind, (target: Target) => void>> = {
  "flip a bit"(target: Target) {
    const path = pathOf(target);
    const bytes = readFileSync(path);
    if (bytes.length === 0) return;
    const at = Math.floor(target.random() * bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(target.random() * 8));
    writeFileSync(path, bytes);
  },
  "flip a bit of the head"(target: Target) {
    const path = pathOf(target);
    const bytes = readFileSync(path);
    const at = Math.floor(target.random() * Math.min(bytes.length, 33));
    bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(target.random() * 8));
    writeFileSync(path, bytes);
  },
  cut(target: Target) {
    const path = pathOf(target);
    truncateSync(path, Math.floor(target.random() * statSync(path).size));
  },
  empty: (target: Target) => truncateSync(pathOf(target), 0),
  remove: (target: Target) => rmSync(pathOf(target)),
  "write twice"(target: Target) {
    const path = pathOf(target);
    const bytes = readFileSync(path);
    writeFileSync(path, Buffer.concat([bytes, bytes]));
  },
  "append rubbish"(target: Target) {
    const path = pathOf(target);
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from("rubbish ".repeat(20))]));
  },
  "replace by rubbish": (target: Target) => writeFileSync(pathOf(target), "rubbish ".repeat(20)),
  "use the file of another partition"(target: Target) {
    const { folder, partition, file } = target;
    const other = readdirSync(folder).find((name) => name !== partition) as string;
    const source = readdirSync(join(folder, other)).find((name) => {
      return name.split(".").pop() === file.split(".").pop();
    });
    if (source !== undefined) cpSync(join(folder, other, source), pathOf(target));
  },
  "rename the file"(target: Target) {
    const [, ending] = target.file.split(".");
    const name =
      ending === undefined ? "other" : `${90 + Math.floor(target.random() * 9)}.${ending}`;
    renameSync(pathOf(target), join(target.folder, target.partition, name));
  },
};

export const damageKinds = Object.keys(damages) as readonly DamageKind[];

/** Damages one file of a folder with a folder for each partition. Returns what was done, for messages. */
export function damageFolder(
  folder: string,
  { kind, random }: { readonly kind: DamageKind; readonly random: Random },
): { readonly partition: number; readonly file: string } {
  const any = <Each>(all: readonly Each[]): Each => all[Math.floor(random() * all.length)] as Each;
  const partition = any(readdirSync(folder));
  const file = any(readdirSync(join(folder, partition)));
  damages[kind]({ folder, partition, file, random });
  return { partition: Number(partition), file };
}
