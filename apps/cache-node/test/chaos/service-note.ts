/** That an owner answered a request, as that owner saw it; it counts only when the answer was accepted. */
export interface ServiceNote {
  readonly node: string;
  readonly partition: number;
  readonly incarnation: string;
  readonly epoch: number;
  readonly partEpoch: number;
  readonly atMs: number;
}

/** Milliseconds of the monotonic clock that all processes of this machine share. */
export function machineNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What a node writes its notes to, one JSON text a line. */
export const notesVariable = "PARSEC_TEST_SERVICE_NOTES";
