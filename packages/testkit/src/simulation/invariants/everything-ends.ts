import type { RunUnderCheck } from "./run-under-check.ts";

/** I8: every request ends within its timeout, no flight or timer is left, and counters balance. */
export function checkEverythingEnds(run: RunUnderCheck): void {
  const { history, plan } = run;
  const { timeoutMs } = plan.policy;
  for (const get of history.gets) {
    if (get.unknown) continue;
    const { settled, begun } = get;
    if (settled === undefined) {
      // Requests on a crashed node end as well, because the crash closes it.
      run.report("I8", `get ${get.id} of ${get.key} on ${get.node} never ended`);
    } else if (settled.atMs - begun.atMs > timeoutMs) {
      run.report(
        "I8",
        `get ${get.id} of ${get.key} on ${get.node} took ${settled.atMs - begun.atMs} ms, more than timeoutMs of ${timeoutMs}`,
      );
    }
  }
  for (const invalidation of history.invalidations) {
    if (invalidation.settled === undefined) {
      run.report("I8", `invalidation ${invalidation.id} never ended`);
    }
  }
  for (const account of history.accounts) checkAccount(run, account);
  if (history.timersLeft !== 0) run.report("I8", `${history.timersLeft} timers were left`);
}

function checkAccount(
  run: RunUnderCheck,
  account: RunUnderCheck["history"]["accounts"][number],
): void {
  const { node, gets, cacheHits, loads, flights, localLoads, localLoadErrs } = account;
  if (flights !== 0) run.report("I8", `${node} still had ${flights} flights`);
  if (gets !== cacheHits + loads) {
    run.report("I8", `${node} counted ${gets} gets, ${cacheHits} hits and ${loads} loads`);
  }
  const { loadsDeduped, peerLoads, peerErrors, warmLoads } = account;
  const ended = peerLoads + peerErrors + localLoads + localLoadErrs + warmLoads;
  if (loadsDeduped !== ended) {
    run.report("I8", `${node} counted ${loadsDeduped} loads begun and ${ended} ended`);
  }
  const { history } = run;
  const fetched = history.fetches.filter((fetch) => fetch.node === node).length;
  if (localLoads + localLoadErrs !== fetched) {
    run.report(
      "I8",
      `${node} counted ${localLoads} loads and ${localLoadErrs} failed ones of ${fetched} fetches`,
    );
  }
  const served = history.served.filter((lookup) => lookup.node === node && !lookup.isLook).length;
  if (account.serverRequests !== served) {
    run.report("I8", `${node} counted ${account.serverRequests} of ${served} lookups by peers`);
  }
  if (history.unrest.length === 0 && account.mainItems > account.ownedKeys) {
    run.report(
      "I5",
      `${node} owns ${account.ownedKeys} keys and has ${account.mainItems} in its main cache`,
    );
  }
}
