import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { debianPostgresFolders, findProgram } from "./find-program.mjs";
import { freePort } from "./free-port.mjs";
import { startServerProcess } from "./server-process.mjs";
import { unprivilegedUser } from "./unprivileged-user.mjs";

const run = promisify(execFile);

/** @type {import("./server.d.ts").Server & Required<Pick<import("./server.d.ts").Server, "container">>} */
export const postgres = {
  name: "PostgreSQL",
  variable: "PARSEC_TEST_POSTGRES_URL",
  debianPackages: ["postgresql"],
  container: {
    image: "postgres:17-alpine",
    port: 5432,
    environment: (password) => ({ POSTGRES_PASSWORD: password }),
    command: ["-c", "wal_level=logical", "-c", "fsync=off"],
    // By TCP, since the server that the image sets itself up with listens on its socket only.
    readyCommand: ["pg_isready", "-h", "127.0.0.1", "-U", "postgres"],
    url: (port, password) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
  },

  async find() {
    return findProgram("postgres", await debianPostgresFolders());
  },

  async start(program, { folder }) {
    const user = unprivilegedUser(["postgres"]);
    const data = join(folder, "data");
    const passwordFile = join(folder, "password");
    const password = randomBytes(12).toString("hex");
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (user.uid !== undefined && user.gid !== undefined) {
      await chown(folder, user.uid, user.gid);
      await chown(passwordFile, user.uid, user.gid);
    }

    const initdb = (await findProgram("initdb", [dirname(program)])) ?? "initdb";
    // A password even here: anyone on a shared machine can reach a loopback port, and a database
    // superuser may run programs.
    await run(
      initdb,
      [
        ["-D", data, "-U", "postgres", "--pwfile", passwordFile, "--no-sync"],
        ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"],
      ].flat(),
      { ...user, cwd: "/" },
    );

    const port = await freePort();
    const { stop } = await startServerProcess({
      command: program,
      args: [
        ["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1"],
        ["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "wal_level=logical"],
      ].flat(),
      readyWhen: /database system is ready to accept connections/,
      stopSignal: "SIGQUIT",
      user,
    });
    return { url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`, stop };
  },
};
