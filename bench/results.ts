import type { AppendResult, SessionReadsResult } from "./append.ts";
import type { ContentionResult } from "./contention.ts";
import type { EdgeResult } from "./edge.ts";
import type { EndingsResult } from "./endings.ts";
import type { EndpointResult } from "./endpoints.ts";
import type { FlowsResult } from "./flows.ts";
import type { GrowthResult } from "./growth.ts";
import type { ListResult } from "./list.ts";
import type { Machine } from "./machine.ts";
import type { MemoryResult } from "./memory.ts";
import type { OpenLoopResult } from "./open-loop.ts";
import type { PasswordsResult } from "./passwords.ts";
import type { PeersResult } from "./peers.ts";
import type { RetentionResult } from "./retention.ts";
import type { TargetRow } from "./targets.ts";
import type { WorkersResult } from "./workers.ts";

/** What a run found, benchmark by benchmark; undefined for those that were not asked for. */
export type Measurements = {
  edge?: EdgeResult[];
  endpoints?: EndpointResult[];
  append?: AppendResult[];
  sessionReads?: SessionReadsResult;
  contention?: ContentionResult;
  peers?: PeersResult;
  flows?: FlowsResult;
  passwords?: PasswordsResult;
  openLoop?: OpenLoopResult[];
  workers?: WorkersResult;
  memory?: MemoryResult | undefined;
  list?: ListResult;
  endings?: EndingsResult;
  retention?: RetentionResult;
  growth?: GrowthResult;
};

/** A run: when, where, which targets were met, and everything behind that. `bench/results/latest.json` holds it. */
export type Results = Measurements & { startedAt: string; machine: Machine; targets: TargetRow[] };
