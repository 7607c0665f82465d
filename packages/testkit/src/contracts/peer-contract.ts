import { describe, it } from "vitest";
import {
  attachScriptedHosts,
  type ContractCase,
  type ContractCluster,
  type ContractLimits,
} from "./contract-case.ts";
import { closingCases } from "./peer-contract-closing.ts";
import { comingAndGoingCases } from "./peer-contract-coming-and-going.ts";
import { failureCases } from "./peer-contract-failures.ts";
import { invalidationCases } from "./peer-contract-invalidations.ts";
import { lookupCases } from "./peer-contract-lookups.ts";
import { traceCases } from "./peer-contract-traces.ts";
import { pickerCases } from "./picker-contract.ts";

/** A case a transport cannot meet, and why. It is reported as skipped, with the reason. */
export interface SkippedContractCase {
  readonly case: string;
  readonly reason: string;
}

/** A transport that is to prove itself. */
export interface PeerContractOptions {
  /** What the test report calls the transport. */
  readonly name: string;
  /** Makes a fresh cluster of at least three nodes; called once per case. */
  readonly setup: () => Promise<ContractCluster>;
  /** The limits `setup` configured. Without them the two cases about limits are skipped. */
  readonly limits?: ContractLimits;
  readonly skip?: readonly SkippedContractCase[];
}

/** Every demand on a transport, in the order of the report. */
export const peerContractCases: readonly ContractCase[] = [
  ...pickerCases,
  ...lookupCases,
  ...failureCases,
  ...invalidationCases,
  ...traceCases,
  ...comingAndGoingCases,
  ...closingCases,
];

/**
 * Declares the contract suite for a transport, in a vitest file. Every implementation of
 * `PeerPicker` must pass it; `skip` names cases it cannot meet. Throws when `skip` names no case.
 */
export function describePeerContract(options: PeerContractOptions): void {
  const skipped = new Map(options.skip?.map((entry) => [entry.case, entry.reason]));
  for (const name of skipped.keys()) {
    if (!peerContractCases.some((contractCase) => contractCase.name === name)) {
      throw new Error(`skip names ${JSON.stringify(name)}, which is no case of the peer contract`);
    }
  }
  describe(`peer contract: ${options.name}`, () => {
    for (const contractCase of peerContractCases) {
      const reason =
        skipped.get(contractCase.name) ??
        (contractCase.needsLimits && options.limits === undefined ? "no limits given" : undefined);
      if (reason === undefined) it(contractCase.name, () => runContractCase(contractCase, options));
      else it.skip(`${contractCase.name} (${reason})`);
    }
  });
}

/** Runs one case against a fresh cluster; rejects when the transport does not meet it. */
export async function runContractCase(
  contractCase: ContractCase,
  options: Pick<PeerContractOptions, "setup" | "limits">,
): Promise<void> {
  const cluster = await options.setup();
  try {
    await contractCase.run(attachScriptedHosts(cluster, options.limits));
  } finally {
    await cluster.close();
  }
}
