/**
 * npm hands Ctrl-C on to the server, which the terminal has told already: one key press, two signals. A second one
 * this soon after the first is not a second wish.
 */
const echoMs = 300;

/**
 * Waits for SIGTERM or SIGINT. From the call on neither ends the process by itself, so that what is being written is
 * finished first; a second signal, at any time later, ends it at once with exit code 1.
 */
export function untilStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAtMs: number | undefined;
    const onSignal = (signal: NodeJS.Signals) => {
      firstAtMs ??= performance.now();
      if (performance.now() - firstAtMs > echoMs) process.exit(1);
      resolve(signal);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}
