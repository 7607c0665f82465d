import type { CachePolicy } from "@parsec/core";
import type { NodeControl } from "../node/node-control.ts";

/** A node of a scenario, with the faults that a scenario can cause. */
export interface SiteNode {
  readonly name: string;
  /** Id of the node in its cluster. */
  readonly id: string;
  readonly control: NodeControl;
  /** Closes the node and waits until its process has exited; rejects when it fails. */
  leave(): Promise<void>;
  /** Kills the node as SIGKILL does. */
  kill(): Promise<void>;
  /** Pauses the node as SIGSTOP does, without notice to its peers. */
  pause(): void;
  /** Continues a paused node. */
  resume(): void;
}

/** The nodes of one scenario over one transport, with one address for each name. */
export interface Site {
  /** Whether nodes discover their members, and need no list. */
  readonly findsMembers: boolean;
  /** Starts a node and resolves when it has joined. `names` are all members, for transports without discovery. */
  start(name: string, names: readonly string[]): Promise<SiteNode>;
  idsOf(names: readonly string[]): readonly string[];
  /** Isolates a node from all others and from their discovery. It still reaches the origin. */
  isolate(name: string): void;
  /** Ends all isolations. */
  heal(): void;
  /** Kills all nodes and proxies. */
  close(): Promise<void>;
}

export interface SiteOptions {
  readonly originUrl: string;
  readonly programsFolder: string;
  readonly policy: CachePolicy;
  /** Whether nodes can be isolated, which needs a proxy per direction. */
  readonly isolating: boolean;
}

/** A fault that only some transports support. */
export type Ability = "pause" | "server restart";

/** A transport that scenarios run over. */
export interface ScenarioTransport {
  readonly name: string;
  /** Unsupported faults, each with the reason. */
  readonly cannot: Partial<Record<Ability, string>>;
  open(options: SiteOptions): Promise<Site>;
  /** The server between the nodes, when the transport has one. */
  readonly server?: { stop(): Promise<void>; start(): Promise<void> };
}
