/** A worker that served so long did not fail at its start. */
const STEADY_MS = 10_000;

const WAIT_MS = { first: 100, longest: 10_000 };

/** So many workers may end early in a row. */
const IN_A_ROW = 5;

/** When to start a worker in the place of one that ended, and when not to any more. */
export class Restarts {
  #inARow = 0;

  /** @returns whether workers have ended early so often that this is no accident */
  get isCrashLoop(): boolean {
    return this.#inARow >= IN_A_ROW;
  }

  /**
   * @param servedMs how long the worker that ended had served; 0 if it never did
   * @returns ms to wait before starting another one: none for one that had served for long, else twice as long each time
   */
  delayAfter(servedMs: number): number {
    this.#inARow = servedMs >= STEADY_MS ? 0 : this.#inARow + 1;
    return this.#inARow === 0 ? 0 : Math.min(WAIT_MS.first * 2 ** (this.#inARow - 1), WAIT_MS.longest);
  }
}
