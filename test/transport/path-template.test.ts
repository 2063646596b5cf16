import { describe, expect, test } from "vitest";
import { bindPath, parsePathTemplate } from "../../src/transport/rest/path-template.ts";

/** The template read back from its parts. */
function shape(source: string): string {
  const { segments, variables, verb } = parsePathTemplate(source);
  const path = segments.map((s) => (s.kind === "literal" ? s.text : s.kind === "any" ? "*" : "**")).join("/");
  const bound = variables.map((v) => `${v.fieldPath.join(".")}[${v.start},${v.end ?? "end"})`).join(" ");
  return [path, bound, verb ?? ""].join(" | ");
}

describe("path templates of the grammar", () => {
  test.each([
    ["/v2/sessions", "v2/sessions |  | "],
    ["/v2/sessions/search", "v2/sessions/search |  | "],
    ["/v2/sessions/{session_id}", "v2/sessions/* | session_id[2,3) | "],
    ["/v2/users/{user_id}/pats/{token_id}", "v2/users/*/pats/* | user_id[2,3) token_id[4,5) | "],
    ["/v1/{name=messages/*}", "v1/messages/* | name[1,3) | "],
    ["/v1/{name=shelves/*/books/*}", "v1/shelves/*/books/* | name[1,5) | "],
    ["/v1/{book.name=shelves/*}/pages", "v1/shelves/*/pages | book.name[1,3) | "],
    ["/v1/{a.b.c}", "v1/* | a.b.c[1,2) | "],
    ["/v1/{path=**}", "v1/** | path[1,end) | "],
    ["/v1/{path=files/**}", "v1/files/** | path[1,end) | "],
    ["/v1/*/static/**", "v1/*/static/** |  | "],
    ["/v1/{name=operations/*}:cancel", "v1/operations/* | name[1,3) | cancel"],
    ["/v1/users:search", "v1/users |  | search"],
    ["/v1/a%20b", "v1/a b |  | "],
    ["/v1/~user/a.b-c_d", "v1/~user/a.b-c_d |  | "],
  ])("%s", (source, expected) => {
    expect(shape(source)).toBe(expected);
  });
});

describe("malformed templates are refused", () => {
  test.each([
    ["", "does not begin with a slash"],
    ["v2/sessions", "does not begin with a slash"],
    ["/", "has an empty segment"],
    ["/v2//sessions", "has an empty segment"],
    ["/v2/sessions/", "has an empty segment"],
    ["/v2/**/sessions", "goes on after **"],
    ["/v2/{path=**}/x", "goes on after **"],
    ["/v2/{a}/{a}", "binds a twice"],
    ["/v2/{}", "malformed field path"],
    ["/v2/{1a}", "malformed field path"],
    ["/v2/{a.}", "malformed field path"],
    ["/v2/{a", "malformed segment"],
    ["/v2/a}", "malformed segment"],
    ["/v2/x{a}", "malformed segment"],
    ["/v2/{a={b}}", "malformed segment"],
    ["/v2/a b", "malformed segment"],
    ["/v2/a?b", "malformed segment"],
    ["/v2/a%2", "malformed segment"],
    ["/v2/{a=}", "empty segment"],
    ["/v2/a:", "malformed verb"],
  ])("%s", (source, reason) => {
    expect(() => parsePathTemplate(source)).toThrow(reason);
  });
});

describe("values of a path", () => {
  test.each([
    ["/v2/sessions/{id}", "/v2/sessions/1", ["1"]],
    ["/v2/sessions/{id}", "/v2/sessions/a%20b", ["a b"]],
    ["/v2/sessions/{id}", "/v2/sessions/a%2Fb", ["a/b"]],
    ["/v2/sessions/{id}", "/v2/sessions/%C3%BC", ["ü"]],
    ["/v2/sessions/{id}", "/v2/sessions/a+b", ["a+b"]],
    ["/v2/sessions/{id}", "/v2/sessions/%252F", ["%2F"]],
    ["/v2/sessions/{id}", "/v2/sessions/a:b", ["a:b"]],
    ["/v2/sessions/{id}", "/v2/sessions/", [""]],
    ["/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/a%20b", ["shelves/1/books/a b"]],
    ["/v1/{name=shelves/*}", "/v1/shelves/a%2Fb", ["shelves/a%2Fb"]],
    ["/v1/{path=**}", "/v1/a/b/c", ["a/b/c"]],
    ["/v1/{name=operations/*}:cancel", "/v1/operations/7:cancel", ["operations/7"]],
    ["/v1/{id}:cancel", "/v1/a:b:cancel", ["a:b"]],
    ["/v1/{a}/x/{b}", "/v1/1/x/2", ["1", "2"]],
  ])("%s of %s", (template, path, values) => {
    expect(bindPath(parsePathTemplate(template), path)).toEqual(values);
  });

  test("a malformed escape is an error", () => {
    expect(() => bindPath(parsePathTemplate("/v2/{id}"), "/v2/%zz")).toThrow(URIError);
  });
});
