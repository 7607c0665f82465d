/** A server that tests may need. One file each, listed in all-servers.mjs. */
export interface Server {
  /** What people call it. */
  readonly name: string;
  /** The environment variable that tests read its URL from. Reading it is how a test asks for the server. */
  readonly variable: `PARSEC_TEST_${string}_URL`;
  /** What apt has to install. */
  readonly debianPackages: readonly string[];
  /** What to run where neither the program nor apt is at hand. Without it, the tests are skipped there. */
  readonly container?: ServerContainer;
  /** The installed program's path. */
  find(): Promise<string | undefined>;
  /** For a server that apt does not have: gets the program elsewhere. Undefined when that cannot be done here. */
  install?(context: {
    readonly log: (line: string) => void;
    readonly signal?: AbortSignal;
  }): Promise<string | undefined>;
  /** Runs the program on a free loopback port, with all its files in `folder`, which is its own. */
  start(program: string, context: { readonly folder: string }): Promise<RunningServer>;
}

export interface ServerContainer {
  readonly image: string;
  /** The port inside the container. */
  readonly port: number;
  environment(password: string): Readonly<Record<string, string>>;
  readonly command: readonly string[];
  /** Run inside the container; exits 0 once the server answers. */
  readonly readyCommand: readonly string[];
  url(port: number, password: string): string;
}

export interface RunningServer {
  readonly url: string;
  /** What runs, unless it is a container: for tests that have to start, stop and configure servers of their own. */
  readonly program?: string;
  stop(): Promise<void>;
}
