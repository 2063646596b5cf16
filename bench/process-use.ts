import { readdirSync, readFileSync } from "node:fs";

/** Linux reports processor time in hundredths of a second, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100;

/**
 * Processor time a process has used so far, all its threads, user and system.
 * @returns seconds; undefined where there is no /proc
 */
export function cpuSeconds(pid: number): number | undefined {
  const stat = statOf(pid);
  return stat && stat.own / TICKS_PER_SECOND;
}

/** That of a process and its children, those that have ended included. */
export function familyCpuSeconds(pid: number): number | undefined {
  const parent = statOf(pid);
  if (parent === undefined) return undefined;
  const ticks = childrenOf(pid).reduce(
    (sum, child) => sum + (statOf(child)?.own ?? 0),
    parent.own + parent.ended,
  );
  return ticks / TICKS_PER_SECOND;
}

/** Memory a process and its children hold at the moment: bytes; undefined where there is no /proc. */
export function familyResidentBytes(pid: number): number | undefined {
  if (statOf(pid) === undefined) return undefined;
  return [pid, ...childrenOf(pid)].reduce((sum, each) => sum + residentBytes(each), 0);
}

function residentBytes(pid: number): number {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kibibytes ?? 0) * 1_024;
  } catch {
    return 0;
  }
}

function childrenOf(pid: number): number[] {
  const others = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return others.filter((other) => statOf(other)?.parentPid === pid);
}

/** @returns undefined where there is no /proc */
export function parentPid(pid: number): number | undefined {
  return statOf(pid)?.parentPid;
}

/** Ticks of a process itself, and of its children that have ended. */
function statOf(pid: number): { parentPid: number; own: number; ended: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the name, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [own, ended] = [Number(fields[11]) + Number(fields[12]), Number(fields[13]) + Number(fields[14])];
    return { parentPid: Number(fields[1]), own, ended };
  } catch {
    return undefined;
  }
}
