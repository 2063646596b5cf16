import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import {
  type ContextKey,
  createContextKey,
  type HandlerContext,
  type Interceptor,
  type StreamRequest,
  type UnaryRequest,
} from "@connectrpc/connect";
import { bearerCredential } from "../../auth/bearer.ts";
import type { Caller } from "../../auth/caller.ts";
import { DomainError } from "../../errors.ts";
import { permission } from "../../gen/gatehouse/options_pb.js";

const callerKey: ContextKey<Caller | undefined> = createContextKey<Caller | undefined>(undefined);

/** The caller of a method that needs one. */
export function callerOf(context: Pick<HandlerContext, "values" | "method">): Caller {
  const caller = context.values.get(callerKey);
  // Only a method without the `permission` option gets here without a caller, and those ask for none.
  if (!caller)
    throw new Error(`${context.method.parent.typeName}/${context.method.name} has no permission option`);
  return caller;
}

export type Authentication = {
  /** @throws DomainError what the credential is refused with */
  callerOf(credential: string): Promise<Caller>;
  organizationExists(id: string): Promise<boolean>;
};

/**
 * Finds out who calls. Methods whose contract names no permission (health, reflection) need no credential; all others
 * are refused here before their message is looked at.
 */
export function authenticate(authentication: Authentication): Interceptor {
  return (next) => async (request) => {
    if (!needsCaller(request.method)) return next(request);
    request.contextValues.set(callerKey, await callerOfRequest(authentication, request));
    return next(request);
  };
}

const needsCallerByMethod = new WeakMap<DescMethod, boolean>();

function needsCaller(method: DescMethod): boolean {
  let needed = needsCallerByMethod.get(method);
  if (needed === undefined) {
    needed = hasOption(method, permission) && getOption(method, permission) !== "";
    needsCallerByMethod.set(method, needed);
  }
  return needed;
}

async function callerOfRequest(
  authentication: Authentication,
  request: UnaryRequest | StreamRequest,
): Promise<Caller> {
  const caller = await authentication.callerOf(bearerCredential(request.header.get("authorization")));
  const organizationId = request.header.get("x-zitadel-orgid");
  if (!organizationId || organizationId === caller.organizationId) return caller;
  if (!(await authentication.organizationExists(organizationId))) {
    throw new DomainError("auth.organization_unknown");
  }
  return { ...caller, contextOrganizationId: organizationId };
}
