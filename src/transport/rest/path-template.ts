/**
 * Path templates of `google.api.http`:
 *
 *     Template  = "/" Segments [ ":" LITERAL ]
 *     Segments  = Segment { "/" Segment }
 *     Segment   = "*" | "**" | LITERAL | "{" FieldPath [ "=" Segments ] "}"
 *     FieldPath = IDENT { "." IDENT }
 *
 * https://github.com/googleapis/googleapis/blob/master/google/api/http.proto
 */
export type PathTemplate = {
  /** As written in the contract. */
  readonly source: string;
  readonly segments: readonly Segment[];
  /** The word after the last colon, `lock` in `/v2/users/{id}:lock`. */
  readonly verb: string | undefined;
  readonly variables: readonly Variable[];
};

export type Segment =
  | { readonly kind: "literal"; readonly text: string }
  /** Exactly one segment. */
  | { readonly kind: "any" }
  /** All the rest, possibly nothing. */
  | { readonly kind: "rest" };

export type Variable = {
  readonly fieldPath: readonly string[];
  /** Index of its first segment. */
  readonly start: number;
  /** Index after its last segment; undefined if it reaches to the end. */
  readonly end: number | undefined;
};

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
const literal = /^(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})+$/;

/** @throws Error if the template is not of the grammar, names a field twice, or goes on after `**` */
export function parsePathTemplate(source: string): PathTemplate {
  const fail = (why: string): never => {
    throw new Error(`path template "${source}": ${why}`);
  };
  if (!source.startsWith("/")) fail("does not begin with a slash");

  const colon = source.lastIndexOf(":");
  const hasVerb = colon > source.lastIndexOf("/") && colon > source.lastIndexOf("}");
  const verb = hasVerb ? source.slice(colon + 1) : undefined;
  if (verb !== undefined && !literal.test(verb)) fail("has a malformed verb");

  const segments: Segment[] = [];
  const variables: Variable[] = [];

  const addSegment = (text: string): void => {
    if (segments.at(-1)?.kind === "rest") fail("goes on after **");
    if (text === "*") segments.push({ kind: "any" });
    else if (text === "**") segments.push({ kind: "rest" });
    else if (literal.test(text)) segments.push({ kind: "literal", text: decodeURIComponent(text) });
    else fail(text === "" ? "has an empty segment" : `has a malformed segment "${text}"`);
  };
  const addVariable = (text: string): void => {
    const equals = text.indexOf("=");
    const fieldPath = (equals < 0 ? text : text.slice(0, equals)).split(".");
    if (!fieldPath.every((name) => identifier.test(name))) fail(`has a malformed field path in {${text}}`);
    if (variables.some((other) => other.fieldPath.join(".") === fieldPath.join(".")))
      fail(`binds ${fieldPath.join(".")} twice`);
    const start = segments.length;
    for (const inner of equals < 0 ? ["*"] : text.slice(equals + 1).split("/")) addSegment(inner);
    variables.push({ fieldPath, start, end: segments.at(-1)?.kind === "rest" ? undefined : segments.length });
  };

  // Slashes between braces belong to the variable.
  for (const part of source.slice(1, hasVerb ? colon : undefined).split(/\/(?![^{]*\})/)) {
    if (part.startsWith("{") && part.endsWith("}")) addVariable(part.slice(1, -1));
    else addSegment(part);
  }
  return { source, segments, verb, variables };
}

/**
 * The values a path that matches the template carries, in the order of its variables. One segment is decoded wholly, so
 * `a%2Fb` is the value `a/b` and never two segments; a value of several segments keeps `%2F`, or its own slashes
 * could not be told apart.
 * @throws URIError if the path holds a malformed escape
 */
export function bindPath(template: PathTemplate, path: string): string[] {
  const given = path
    .slice(1, template.verb === undefined ? undefined : -(template.verb.length + 1))
    .split("/");
  return template.variables.map(({ start, end }) =>
    end === start + 1
      ? decodeURIComponent(given[start]!)
      : given.slice(start, end).map(decodeAllButSlash).join("/"),
  );
}

const decodeAllButSlash = (text: string): string =>
  text
    .split(/(%2f)/i)
    .map((part) => (/^%2f$/i.test(part) ? part : decodeURIComponent(part)))
    .join("");
