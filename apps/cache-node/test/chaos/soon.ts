/** Far longer than anything takes here that is going to happen. */
export const giveUpMs = 60_000;

/** The same promise; rejects and says what did not happen when that takes far too long. */
export async function soon<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`did not happen in time: ${what}`)), giveUpMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
