import { afterAll, beforeAll, describe, it } from "vitest";
import { type KnownServer, newestNats, systemNats } from "./known-servers.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

/** A server that all tests of a file share. */
export interface SharedServer {
  readonly name: string;
  /** Not before the tests run. */
  readonly url: string;
}

/** Declares tests for each of the servers, which share a running one; or one skipped test that says what is missing. */
export function describeOnServers(declare: (server: SharedServer) => void): void {
  for (const server of [systemNats, newestNats]) describeOn(server, declare);
}

/** Declares tests for which it does not matter which server it is. */
export function describeOnOneServer(declare: (server: SharedServer) => void): void {
  const isThere = ({ url, program }: KnownServer): boolean => (url ?? program) !== undefined;
  describeOn([newestNats, systemNats].find(isThere) ?? systemNats, declare);
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

/** Starts a server of the test's own. */
export type StartServer = (options?: Parameters<typeof startNatsServer>[1]) => Promise<NatsServer>;

/** Declares tests that start, stop and configure servers, with each program; or one skipped test that says what is missing. */
export function describeWithPrograms(declare: (start: StartServer, name: string) => void): void {
  for (const server of [systemNats, newestNats]) describeWith(server, declare);
}

/** Declares such tests for which it does not matter which server it is. */
export function describeWithOneProgram(declare: (start: StartServer, name: string) => void): void {
  const isThere = ({ program }: KnownServer): boolean => program !== undefined;
  describeWith([newestNats, systemNats].find(isThere) ?? systemNats, declare);
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
    // A test that failed has not come to the end of its servers.
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
