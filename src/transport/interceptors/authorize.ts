import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { type Caller, INSTANCE, isPermitted } from "../../auth/caller.ts";
import { isPermission, type Permission } from "../../auth/roles.ts";
import { DomainError } from "../../errors.ts";
import { permission } from "../../gen/gatehouse/options_pb.js";
import { callerOf } from "./authenticate.ts";

/**
 * Demands the permission a method's contract names, before its message is held against any rule: `iam.…` on the
 * instance, every other in the organization the call is about. "authenticated" asks for no more than a caller; what the
 * caller may do is then decided where the object is known.
 */
export function authorize(): Interceptor {
  return (next) => (request) => {
    const needed = neededBy(request.method);
    if (
      needed !== undefined &&
      !holds(callerOf({ values: request.contextValues, method: request.method }), needed)
    ) {
      throw new DomainError("auth.method_permission_denied");
    }
    return next(request);
  };
}

function holds(caller: Caller, needed: Permission): boolean {
  return isPermitted(caller, needed, needed.startsWith("iam.") ? INSTANCE : caller.contextOrganizationId);
}

const neededByMethod = new WeakMap<DescMethod, Permission | null>();

function neededBy(method: DescMethod): Permission | undefined {
  let needed = neededByMethod.get(method);
  if (needed === undefined) {
    needed = readPermission(method) ?? null;
    neededByMethod.set(method, needed);
  }
  return needed ?? undefined;
}

/** Messages that say which organization the call is about, whatever its header says. */
const namingOrganizations = new Set(["zitadel.object.v2.Organization", "zitadel.object.v2.RequestContext"]);

/** @throws Error if the contract names a permission nobody can hold */
function readPermission(method: DescMethod): Permission | undefined {
  const named = hasOption(method, permission) ? getOption(method, permission) : "";
  if (named === "" || named === "authenticated") return undefined;
  if (!isPermission(named)) throw new Error(`${method.parent.typeName}/${method.name} asks for ${named}`);
  // Left to the method itself, which alone can find the organization.
  const isNamed = method.input.fields.some(
    ({ message }) => message && namingOrganizations.has(message.typeName),
  );
  return isNamed ? undefined : named;
}
