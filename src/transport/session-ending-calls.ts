import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type OperationSchema,
  OperationStatus,
  type SessionControlService,
} from "../gen/gatehouse/session/v1/session_control_service_pb.js";
import type { SessionDependencies } from "../session/dependencies.ts";
import {
  countEndable,
  endOtherSessions,
  endSessions,
  endUserSessions,
  getOperation,
} from "../session/end-sessions.ts";
import type { EndingState } from "../session/ending/ending.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { fromFilter, toFilter } from "./session-filter-mapping.ts";

/** Ending sessions in numbers. */
export function sessionEndingCalls(dependencies: SessionDependencies) {
  return {
    async endSessions({ filter, all, dryRun }, context) {
      const command = { filter: fromFilter(filter), all };
      const caller = callerOf(context);
      if (dryRun) return { matched: BigInt(await countEndable(dependencies, caller, command)) };
      return { operation: toOperation(await endSessions(dependencies, caller, command)) };
    },
    async endUserSessions({ userId, exceptSessionId: exceptId }, context) {
      const ending = await endUserSessions(dependencies, callerOf(context), { userId, exceptId });
      return { operation: toOperation(ending) };
    },
    async endOtherSessions(_, context) {
      return { operation: toOperation(await endOtherSessions(dependencies, callerOf(context))) };
    },
    async getOperation({ operationId }, context) {
      return { operation: toOperation(await getOperation(dependencies, callerOf(context), operationId)) };
    },
  } satisfies Partial<ServiceImpl<typeof SessionControlService>>;
}

function toOperation(ending: EndingState): MessageInitShape<typeof OperationSchema> {
  const isDone = ending.status === "done";
  return {
    id: ending.id,
    status: isDone ? OperationStatus.DONE : OperationStatus.RUNNING,
    filter: toFilter(ending.filter),
    startedAt: timestampFromDate(ending.createdAt),
    actorId: ending.actorId,
    ended: BigInt(ending.ended),
    doneAt: isDone ? timestampFromDate(ending.changedAt) : undefined,
  };
}
