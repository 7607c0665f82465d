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

/** A case of the peer contract that a transport cannot meet. The report shows it as skipped, with the reason. */
export interface SkippedContractCase {
  /** Title of the case. */
  readonly case: string;
  readonly reason: string;
}

/** Options of {@link describePeerContract}: the transport under test. */
export interface PeerContractOptions {
  /** Name of the transport in the test report. */
  readonly name: string;
  /** Creates a new cluster of at least three nodes; called once per case. */
  readonly setup: () => Promise<ContractCluster>;
  /** The limits that `setup` configured. Without them the cases about limits are skipped. */
  readonly limits?: ContractLimits;
  /** Cases that the transport cannot meet. Defaults to none. */
  readonly skip?: readonly SkippedContractCase[];
}

/** All cases of the peer contract, in the order of the report. */
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
 * Declares the tests of the peer contract, which every implementation of `PeerPicker` must pass; call it in a
 * vitest file. Throws when `skip` contains a title that no case has.
 */
export function describePeerContract(options: PeerContractOptions): void {
  const skipped = new Map(options.skip?.map((entry) => [entry.case, entry.reason]));
  for (const name of skipped.keys()) {
    if (!peerContractCases.some((contractCase) => contractCase.name === name)) {
      throw new Error(
        `skip must contain titles of cases of the peer contract, got ${JSON.stringify(name)}`,
      );
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

/** Runs one case against a new cluster; rejects when the transport does not meet the requirement. */
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
