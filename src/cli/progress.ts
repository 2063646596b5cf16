/** Tells somebody who waits what is being done. */
export type Progress = {
  /** Ends the step before and begins this one; `name` completes "now …" (`creating the database`). */
  step(name: string): void;
  /** Ends the last step, well or badly; does nothing if there is none. */
  finish(outcome?: "done" | "failed"): void;
};

/**
 * Prints "creating the database… done in 2.1 s", one line a step.
 *
 * On a terminal the first half is there from the start. Elsewhere a line is written when it is whole, so that it
 * cannot be torn by other output.
 */
export function printProgress(
  stream: { write(text: string): unknown; isTTY?: boolean },
  now: () => number = () => performance.now(),
): Progress {
  let current: { name: string; startedAtMs: number } | undefined;
  const finish = (outcome: "done" | "failed" = "done") => {
    if (current === undefined) return;
    const seconds = ((now() - current.startedAtMs) / 1000).toFixed(1);
    stream.write(
      `${stream.isTTY ? "" : `${current.name}… `}${outcome} ${outcome === "done" ? "in" : "after"} ${seconds} s\n`,
    );
    current = undefined;
  };
  return {
    step(name) {
      finish();
      current = { name, startedAtMs: now() };
      if (stream.isTTY) stream.write(`${name}… `);
    },
    finish,
  };
}

/** For output nobody watches. */
export const silentProgress: Progress = { step: () => {}, finish: () => {} };
