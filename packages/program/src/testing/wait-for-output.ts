import type { RunningProgram } from "./run-program.ts";

/** Waits until the program's output matches; rejects with the output when the program ends first. */
export function waitForOutput(program: RunningProgram, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = (): void => {
      if (pattern.test(program.stdout() + program.stderr())) resolve();
    };
    program.child.stdout?.on("data", check);
    program.child.stderr?.on("data", check);
    check();
    void program.ended.then((how) =>
      reject(new Error(`ended (${how}): ${program.stdout()}${program.stderr()}`)),
    );
  });
}
