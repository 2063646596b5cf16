import type { DescMethod } from "@bufbuild/protobuf";
import {
  type ContextKey,
  createContextKey,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import { SessionService } from "../../gen/zitadel/session/v2/session_service_pb.js";
import type { SessionRecord } from "../../storage/session-repository.ts";
import { callerOf } from "./authenticate.ts";

/** A session that is being read; undefined if there is none of that id. */
export type SessionAhead = Promise<SessionRecord | undefined>;

export type FindSession = (id: string) => SessionAhead;

const aheadKey: ContextKey<SessionAhead | undefined> = createContextKey<SessionAhead | undefined>(undefined);

/**
 * What {@link readAhead} has asked for on behalf of this call, if anything. Nothing where the session's own token was the
 * credential: that is a use of the session, and may have changed it since.
 */
export const sessionAhead = (
  context: Pick<HandlerContext, "values" | "method">,
  { sessionId }: { sessionId: string },
): SessionAhead | undefined =>
  callerOf(context).sessionId === sessionId ? undefined : context.values.get(aheadKey);

const { getSession, deleteSession } = SessionService.method;
/** Methods about one session, which they read first whoever calls. */
const methods = new Set<DescMethod>([getSession, deleteSession]);

/** Ids like those we give out. Any other may be one the contract refuses, or one that spoils its neighbours' query. */
const ordinaryId = /^[\w-]{1,200}$/;

/**
 * Asks for the session a call is about at the same time as who calls: the two questions are one wait for the database
 * instead of two. Nobody looks at the answer before the caller is known and the message is held against its rules.
 */
export const readAhead =
  (find: FindSession): Interceptor =>
  (next) =>
  (request) => {
    if (!request.stream && methods.has(request.method) && request.header.has("authorization")) {
      const { sessionId } = request.message as unknown as { sessionId: string };
      if (ordinaryId.test(sessionId)) {
        const ahead = find(sessionId);
        // A call that is refused never asks what became of it.
        ahead.catch(() => {});
        request.contextValues.set(aheadKey, ahead);
      }
    }
    return next(request);
  };
