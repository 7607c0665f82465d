import { type Deferred, deferred } from "./deferred.ts";

/** One call of the loader, waiting for the test to answer it. */
export interface WaitingCall<Input, Data> extends Deferred<Data> {
  readonly input: Input;
  readonly signal: AbortSignal;
}

/** An origin whose calls wait until the test settles them. */
export class WaitingLoader<Input, Data> {
  readonly calls: WaitingCall<Input, Data>[] = [];

  readonly load = (input: Input, context: { readonly signal: AbortSignal }): Promise<Data> => {
    const call = { input, signal: context.signal, ...deferred<Data>() };
    this.calls.push(call);
    return call.promise;
  };

  /** The newest call. */
  get last(): WaitingCall<Input, Data> {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("the loader was not called");
    return call;
  }
}
