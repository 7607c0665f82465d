import { afterAll, beforeAll, describe, it } from "vitest";
import { type KnownServer, newestNats, systemNats } from "./known-servers.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

/** A running server that all tests of a `describe` share. */
export interface SharedServer {
  readonly name: string;
  /** Available once the tests run. */
  readonly url: string;
}

/** Declares tests for each known server, which share a running one; a missing server is one skipped test with the reason. */
export function describeOnServers(declare: (server: SharedServer) => void): void {
  for (const server of [systemNats, newestNats]) describeOn(server, declare);
}

/** Declares tests for one server, for tests that do not depend on its version. */
export function describeOnOneServer(declare: (server: SharedServer) => void): void {
  const isAvailable = ({ url, program }: KnownServer): boolean => (url ?? program) !== undefined;
  describeOn([newestNats, systemNats].find(isAvailable) ?? systemNats, declare);
}

function describeOn(known: KnownServer, declare: (server: SharedServer) => void): void {
  const { name, url, program, missing } = known;
  describe(name, () => {
    if (url === undefined && program === undefined) {
      it.skip(`needs ${name}: ${missing}`);
      return;
    }
    let own: NatsServer | undefined;
    beforeAll(async () => {
      if (url === undefined) own = await startNatsServer(program as string);
    });
    afterAll(() => own?.dispose());
    declare({
      name,
      get url() {
        return url ?? (own?.url as string);
      },
    });
  });
}

/** Starts a server for one test. The tests' `afterAll` disposes of it. */
export type StartServer = (options?: Parameters<typeof startNatsServer>[1]) => Promise<NatsServer>;

/** Declares tests that start, stop and configure servers, for each known program; a missing program is one skipped test with the reason. */
export function describeWithPrograms(declare: (start: StartServer, name: string) => void): void {
  for (const server of [systemNats, newestNats]) describeWith(server, declare);
}

/** Declares tests that start, stop and configure servers, for one program: use it when they do not depend on the version. */
export function describeWithOneProgram(declare: (start: StartServer, name: string) => void): void {
  const isAvailable = ({ program }: KnownServer): boolean => program !== undefined;
  describeWith([newestNats, systemNats].find(isAvailable) ?? systemNats, declare);
}

function describeWith(
  { name, program, missing }: KnownServer,
  declare: (start: StartServer, name: string) => void,
): void {
  describe(name, () => {
    if (program === undefined) {
      it.skip(`needs the program of ${name}: ${missing}`);
      return;
    }
    const started: NatsServer[] = [];
    // A failed test may not have disposed of its servers.
    afterAll(async () => {
      for (const server of started) await server.dispose();
    });
    declare(async (options) => {
      const server = await startNatsServer(program, options);
      started.push(server);
      return server;
    }, name);
  });
}
