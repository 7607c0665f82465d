import type { CachePolicy } from "@parsec/core";
import type { NodeControl } from "../node/node-control.ts";

/** A node of a scenario, and what can befall it. */
export interface SiteNode {
  readonly name: string;
  /** What its peers call it. */
  readonly id: string;
  readonly control: NodeControl;
  /** Closes it; resolves when it has gone, and rejects if it did not go by itself. */
  leave(): Promise<void>;
  /** As SIGKILL does. */
  kill(): Promise<void>;
  /** Stops it without a word to anybody, as SIGSTOP does, and lets it go on. */
  pause(): void;
  resume(): void;
}

/** Where the nodes of one scenario live: one transport, one place for each name. */
export interface Site {
  /** Whether nodes find each other by themselves, or have to be told who the members are. */
  readonly findsMembers: boolean;
  /** Starts a node that has joined when this resolves. `names` are all members, for those who have to be told. */
  start(name: string, names: readonly string[]): Promise<SiteNode>;
  idsOf(names: readonly string[]): readonly string[];
  /** Cuts a node off from all others, and from what it finds them by. The origin stays within its reach. */
  isolate(name: string): void;
  /** Ends every isolation. */
  heal(): void;
  /** Kills what is left, and removes what was made. */
  close(): Promise<void>;
}

export interface SiteOptions {
  readonly originUrl: string;
  readonly programsFolder: string;
  readonly policy: CachePolicy;
  /** Whether nodes can be isolated; costs a proxy for each way. */
  readonly isolating: boolean;
}

/** What no transport but one has, or not every one can do. */
export type Ability = "pause" | "server restart";

/** One of the transports that the scenarios run over. */
export interface ScenarioTransport {
  readonly name: string;
  /** What cannot be done here, and why not. */
  readonly cannot: Partial<Record<Ability, string>>;
  open(options: SiteOptions): Promise<Site>;
  /** Restarts the server between the nodes, where there is one. */
  readonly server?: { stop(): Promise<void>; start(): Promise<void> };
}
