import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";

/** Linux keeps what is in here in memory. */
const MEMORY = "/dev/shm";

/** Far more than the databases that are there at one time; a container's default of 64 MiB is not enough. */
const ENOUGH_BYTES = 2 * 1024 ** 3;

/**
 * The folder for test databases: in memory where there is room, since making and dropping hundreds of small files costs
 * a disk ten times as much. A killed process loses nothing there either.
 */
export function scratchRoot(): string {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= ENOUGH_BYTES ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}
