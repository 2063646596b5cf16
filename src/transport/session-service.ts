import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionService } from "../gen/zitadel/session/v2/session_service_pb.js";
import { createSession } from "../session/create-session.ts";
import { deleteSession } from "../session/delete-session.ts";
import type { SessionDependencies } from "../session/dependencies.ts";
import { getSession, listSessions } from "../session/session-queries.ts";
import { setSession } from "../session/set-session.ts";
import { toDetails } from "./details-mapping.ts";
import { callerOf } from "./interceptors/authenticate.ts";
import { sessionAhead } from "./interceptors/read-ahead.ts";
import {
  fromCreateSession,
  fromDeleteSession,
  fromGetSession,
  fromListSessions,
  fromSetSession,
  toChallenges,
  toListSessionsResponse,
  toSession,
} from "./session-mapping.ts";

/** `zitadel.session.v2.SessionService`: message to command, call, result to message. */
export function sessionService(dependencies: SessionDependencies): ServiceImpl<typeof SessionService> {
  return {
    async createSession(request, context) {
      const created = await createSession(dependencies, callerOf(context), fromCreateSession(request));
      const { sessionId, token: sessionToken } = created;
      const challenges = toChallenges(request, created.challenges);
      return { details: toDetails(created.details), sessionId, sessionToken, challenges };
    },
    async setSession(request, context) {
      const changed = await setSession(dependencies, callerOf(context), fromSetSession(request));
      const challenges = toChallenges(request, changed.challenges);
      return { details: toDetails(changed.details), sessionToken: changed.token ?? "", challenges };
    },
    async deleteSession(request, context) {
      const command = fromDeleteSession(request);
      const ahead = sessionAhead(context, command);
      const ended = await deleteSession(dependencies, callerOf(context), command, ahead);
      return { details: toDetails(ended) };
    },
    async getSession(request, context) {
      const query = fromGetSession(request);
      const ahead = sessionAhead(context, query);
      return { session: toSession(await getSession(dependencies, callerOf(context), query, ahead)) };
    },
    async listSessions(request, context) {
      return toListSessionsResponse(
        await listSessions(dependencies, callerOf(context), fromListSessions(request)),
      );
    },
  };
}
