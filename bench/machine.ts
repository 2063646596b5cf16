import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import packageJson from "../package.json" with { type: "json" };

/** What the figures were measured on. */
export type Machine = {
  gatehouse: string;
  cores: number;
  processor: string;
  memoryGib: number;
  platform: string;
  node: string;
  database: string;
  /** Runnable processes per core before the run; well above zero means that others were at work. */
  loadPerCore: number;
};

/** @param database name and version, `PostgreSQL 18.4, fsync on` */
export function describeMachine(database: string): Machine {
  const cores = availableParallelism();
  return {
    gatehouse: packageJson.version,
    cores,
    processor: cpus()[0]?.model.trim() ?? "unknown",
    memoryGib: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    database,
    loadPerCore: Math.round((loadavg()[0]! / cores) * 100) / 100,
  };
}
