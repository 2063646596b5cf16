import { type DescField, type DescMessage, getOption } from "@bufbuild/protobuf";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import createRouter, { type HTTPMethod } from "find-my-way";
import { success_code } from "../../gen/gatehouse/options_pb.js";
import { http } from "../../gen/google/api/annotations_pb.js";
import type { HttpRule } from "../../gen/google/api/http_pb.js";
import { bindPath, type PathTemplate, parsePathTemplate, type Segment } from "./path-template.ts";

/** One REST form of one method. */
export type Route = {
  readonly method: UniversalHandler;
  readonly template: PathTemplate;
  /** For each variable of the template the fields from the request message down to the one it sets. */
  readonly variables: readonly (readonly DescField[])[];
  /** Where the request body goes: the whole message, one field of it, or nowhere. */
  readonly body: "*" | DescField | undefined;
  readonly successStatus: number;
};

export type RouteMatch = { readonly route: Route; readonly values: readonly string[] };

export type RouteTable = {
  /** @param path the request path without its query, still percent-encoded */
  find(verb: string, path: string): RouteMatch | "not found" | "method not allowed" | "bad path";
};

/** Longer than any id may be, percent-encoded; the header limit is the real bound. */
const maxParamLength = 16_384;

/**
 * The REST routes the contract declares with `google.api.http`, for every unary method given.
 * @throws Error if an annotation is malformed or names a field that does not exist
 */
export function createRouteTable(methods: Iterable<UniversalHandler>): RouteTable {
  const router = createRouter({ maxParamLength, caseSensitive: true });
  const verbs = new Set<HTTPMethod>();
  for (const method of methods) {
    const rule = getOption(method.method, http);
    if (method.method.methodKind !== "unary" || rule.pattern.case === undefined) continue;
    for (const binding of [rule, ...rule.additionalBindings]) {
      const [verb, path] = verbAndPath(binding);
      const route = createRoute(method, binding, path);
      verbs.add(verb);
      router.on(verb, routerPath(route.template), () => {}, route);
    }
  }

  return {
    find(verb, path) {
      if (!isWellFormed(path)) return "bad path";
      const found = verbs.has(verb as HTTPMethod) ? router.find(verb as HTTPMethod, path) : null;
      if (found !== null) {
        const route = found.store as Route;
        return { route, values: bindPath(route.template, path) };
      }
      for (const other of verbs) {
        if (router.find(other, path) !== null) return "method not allowed";
      }
      return "not found";
    },
  };
}

function createRoute(method: UniversalHandler, rule: HttpRule, path: string): Route {
  const input = method.method.input;
  const template = parsePathTemplate(path);
  const success = getOption(method.method, success_code);
  return {
    method,
    template,
    variables: template.variables.map((variable) => resolveFields(input, variable.fieldPath)),
    body: rule.body === "" ? undefined : rule.body === "*" ? "*" : resolveFields(input, [rule.body])[0]!,
    successStatus: success === 0 ? 200 : success,
  };
}

function verbAndPath(rule: HttpRule): [HTTPMethod, string] {
  const { pattern } = rule;
  switch (pattern.case) {
    case "get":
    case "put":
    case "post":
    case "delete":
    case "patch":
      return [pattern.case.toUpperCase() as HTTPMethod, pattern.value];
    case "custom":
      return [pattern.value.kind.toUpperCase() as HTTPMethod, pattern.value.path];
    default:
      throw new Error("a google.api.http annotation has neither verb nor path");
  }
}

function resolveFields(message: DescMessage, path: readonly string[]): DescField[] {
  let current: DescMessage | undefined = message;
  return path.map((name) => {
    const field: DescField | undefined = current?.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new Error(`${message.typeName} has no field ${path.join(".")}`);
    current = field.fieldKind === "message" ? field.message : undefined;
    return field;
  });
}

/** The template in find-my-way's notation; only where it matches counts, the values are read by `bindPath`. */
function routerPath(template: PathTemplate): string {
  const last = template.segments.length - 1;
  const text = (segment: Segment, index: number): string => {
    switch (segment.kind) {
      case "literal":
        return segment.text.replaceAll(":", "::");
      case "rest":
        if (template.verb !== undefined)
          throw new Error(`path template "${template.source}": a verb after ** is not supported`);
        return "*";
      case "any":
        return index === last && template.verb !== undefined ? `:p${index}(^[^/:]*)` : `:p${index}`;
    }
  };
  const verb = template.verb === undefined ? "" : `::${template.verb}`;
  return `/${template.segments.map(text).join("/")}${verb}`;
}

/** The router would cut a path at a `#`, which no request may carry, and gives no reason for a malformed escape. */
function isWellFormed(path: string): boolean {
  if (path.includes("#")) return false;
  if (!path.includes("%")) return true;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
