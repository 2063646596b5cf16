const cleanUps: (() => unknown)[] = [];

/**
 * Has something done after every test of every file. For modules that files share: a worker evaluates them once, so an
 * `afterEach` in one of them would hold for the first of its files only.
 */
export function afterEveryTest(cleanUp: () => unknown): void {
  cleanUps.push(cleanUp);
}

export async function cleanUpLeftovers(): Promise<void> {
  await Promise.all(cleanUps.map((cleanUp) => cleanUp()));
}
