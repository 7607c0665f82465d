import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { checkPrivate, hostFolder } from "../host/host-folder.ts";

/** Identifies this process, or this thread of it: modules are loaded once in each. */
const processToken: string = randomBytes(4).toString("hex");

/** Linux allows 108 bytes for the path of a socket, macOS 104, the last of which is 0. One more is added while it is opened. */
const maxPathBytes = 102;

/** The name of a worker's socket: scope, process id, process token, number of the node in the process. */
const socketName = /^([0-9a-f]{16})-(\d{1,10})-([0-9a-f]{8})-([0-9a-f]{8})\.sock$/;

/** The sockets of the processes that share one address, in a folder that only processes of this user can enter. */
export interface WorkerSockets {
  /** The name of this process's own socket. */
  readonly ownName: string;
  /** The names of sockets of other processes, some of which may have been killed. */
  others(): string[];
  pathOf(name: string): string;
  /** Deletes the socket of a process that was killed. */
  remove(name: string): void;
}

/**
 * Opens the folder of sockets. `scope` is the same for processes of one node, such as transport and address.
 * Throws when the folder cannot be used, such as on a read-only file system, or when its path is too long.
 */
export function openWorkerSockets(
  scope: string,
  { folder = hostFolder(), token = processToken }: { folder?: string; token?: string } = {},
): WorkerSockets {
  const sockets = join(folder, "workers");
  mkdirSync(sockets, { recursive: true, mode: 0o700 });
  checkPrivate(sockets, "folder");
  const prefix = createHash("sha256").update(scope).digest("hex").slice(0, 16);
  const ownName = `${prefix}-${process.pid}-${token}-${randomBytes(4).toString("hex")}.sock`;
  const pathOf = (name: string): string => join(sockets, name);
  const pathBytes = Buffer.byteLength(pathOf(ownName));
  if (pathBytes > maxPathBytes) {
    throw new Error(`path of a socket must have at most ${maxPathBytes} bytes, got ${pathBytes}`);
  }
  return {
    ownName,
    others() {
      return readdirSync(sockets).filter((name) => {
        const [, group, , process] = socketName.exec(name) ?? [];
        // Nodes of one process with one address follow each other, such as in tests.
        return group === prefix && process !== token;
      });
    },
    pathOf,
    remove: (name) => rmSync(pathOf(name), { force: true }),
  };
}

/** Whether the text is the name of a worker's socket, and not a path that leads elsewhere. */
export function isSocketName(text: string): boolean {
  return socketName.test(text);
}

/** The process of a socket for messages to operators, such as `4711-1a2b3c4d`. */
export function processOf(name: string): string {
  const [, , pid, , number] = socketName.exec(name) ?? [];
  return `${pid}-${number}`;
}
